/* Reads a scenario. A mistake in it ends the run: a scenario must not mean less than it says. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

struct model model = {.self = 950, .parent = 1, .uid = 501, .release = 15, .now = 1700003600};

static char **lines;
static int line_count;

static _Noreturn void mistake(const char *what)
{
	dprintf(2, "model: what is '%s'?\n", what);
	_exit(125);
}

/* Characters may be given as %XX. */
static const char *decoded(const char *text)
{
	char *copy = strdup(text), *to = copy;

	for (; *text; text++) {
		unsigned byte;

		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
	return copy;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		mistake(text);
	return value;
}

/* ADDRESS,PORT: IPv4 is in the last four bytes (struct in_addr_4in6 of netinet/in_pcb.h). */
static void address(char *text, struct in6_addr *address, uint16_t *port)
{
	char *comma = strrchr(text, ',');

	if (!comma)
		mistake(text);
	*comma = 0;
	*port = (uint16_t)number(comma + 1);
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET6, text, address) != 1 &&
	    inet_pton(AF_INET, text, (uint8_t *)address + 12) != 1)
		mistake(text);
}

#define IS(name) (!strcmp(key, name))

static void set_process(struct process *process, const char *key, char *value)
{
	if IS("pid") process->pid = (pid_t)number(value);
	else if IS("ppid") process->parent = (pid_t)number(value);
	else if IS("pgid") process->group = (pid_t)number(value);
	else if IS("uid") process->uid = (uid_t)number(value);
	else if IS("unique") process->unique = number(value);
	else if IS("start") process->start = number(value);
	else if IS("name") process->name = decoded(value);
	else if IS("comm") process->comm = decoded(value);
	else if IS("exe") process->executable = decoded(value);
	else if IS("cwd") process->directory = decoded(value);
	else if IS("args") process->arguments = strdup(value);
	else if IS("env") process->environment = strdup(value);
	else if IS("files") process->files = (int)number(value);
	else if IS("ends") process->ends = (int)number(value);
	else if IS("slow") process->slow = (int)number(value);
	else if IS("restarts") process->restarts = (pid_t)number(value);
	else if IS("self") process->is_self = number(value);
	else if IS("zombie") process->is_zombie = number(value);
	else if IS("unreaped") process->stays_zombie = number(value);
	else if IS("stopped") process->is_stopped = number(value);
	else if IS("stubborn") process->is_stubborn = number(value);
	else if IS("restricted") process->is_restricted = number(value);
	else if IS("later") process->starts_later = number(value);
	else mistake(key);
}

static void set_holder(struct socket *socket, pid_t pid)
{
	for (size_t i = model.process_count; i-- > 0;)
		if (model.processes[i].pid == pid) {
			socket->holder = i;
			socket->has_holder = true;
			socket->uid = model.processes[i].uid;
			return;
		}
	dprintf(2, "model: a socket of PID %d, which is not described before it\n", pid);
	_exit(125);
}

static void set_socket(struct socket *socket, const char *key, char *value)
{
	if IS("pid") set_holder(socket, (pid_t)number(value));
	else if IS("fd") socket->fd = (int)number(value);
	else if IS("fileport") socket->fileport = (uint32_t)number(value);
	else if IS("udp") socket->protocol = IPPROTO_UDP, socket->state = 0;
	else if IS("state") socket->state = (int)number(value);
	else if IS("version") socket->version = (int)number(value);
	else if IS("local") address(value, &socket->local, &socket->local_port);
	else if IS("peer") address(value, &socket->peer, &socket->peer_port);
	else if IS("so") socket->handle = number(value);
	else if IS("uid") socket->uid = (uid_t)number(value);
	else if IS("options") socket->options = (int)number(value);
	else if IS("unlisted") socket->is_unlisted = number(value);
	else if IS("hangs") socket->hangs = number(value);
	else if IS("reply") socket->reply = decoded(value);
	else mistake(key);
}

static void add_process(char *rest)
{
	struct process *process;
	char *word;

	model.processes = realloc(model.processes, ++model.process_count * sizeof *process);
	process = &model.processes[model.process_count - 1];
	*process = (struct process){.parent = 1, .uid = 501, .ends = -1, .files = 3, .name = "",
				    .comm = "", .executable = "", .directory = "",
				    .start = 1700000000, .unique = 7000 + model.process_count};
	while ((word = strsep(&rest, " ")))
		if (*word) {
			char *value = strchr(word, '=');

			if (!value)
				mistake(word);
			*value++ = 0;
			set_process(process, word, value);
		}
	if (process->is_self)
		model.self = process->pid, model.parent = process->parent, model.uid = process->uid;
	if (!process->group)
		process->group = process->pid;
}

static void add_socket(char *rest)
{
	struct socket *socket;
	char *word;

	model.sockets = realloc(model.sockets, ++model.socket_count * sizeof *socket);
	socket = &model.sockets[model.socket_count - 1];
	*socket = (struct socket){.fd = 4, .protocol = IPPROTO_TCP, .state = 1, .version = 1,
				  .handle = 0x1000 + model.socket_count};
	while ((word = strsep(&rest, " ")))
		if (*word) {
			char *value = strchr(word, '=');

			if (!value)
				mistake(word);
			*value++ = 0;
			set_socket(socket, word, value);
		}
}

/* Processes of another user, from PID 20000 on, which hold nothing. */
static void crowd(int count)
{
	char line[64];

	for (int i = 0; i < count; i++) {
		snprintf(line, sizeof line, "pid=%d uid=88 name=crowd", 20000 + i);
		add_process(line);
	}
}

static void read_file(const char *path);

/* Another scenario in the same directory, whose lines come here. */
static void include(const char *name)
{
	char path[1024];
	const char *own = getenv("MX_MODEL_SCENARIO");

	snprintf(path, sizeof path, "%.*s%s", (int)(strrchr(own, '/') + 1 - own), own, name);
	read_file(path);
}

static void read_line(char *line)
{
	char *rest = line, *keyword;

	line[strcspn(line, "\n")] = 0;
	if (!*line || *line == '#')
		return;
	lines = realloc(lines, (size_t)++line_count * sizeof *lines);
	lines[line_count - 1] = strdup(line);
	keyword = strsep(&rest, " ");
	if (!rest)
		rest = keyword + strlen(keyword);
	if (!strcmp(keyword, "include")) include(rest);
	else if (!strcmp(keyword, "crowd")) crowd((int)number(rest));
	else if (!strcmp(keyword, "process")) add_process(rest);
	else if (!strcmp(keyword, "socket")) add_socket(rest);
	else if (!strcmp(keyword, "release")) model.release = (int)number(rest);
	else if (!strcmp(keyword, "now")) model.now = number(rest);
	else if (strcmp(keyword, "sysctl") && strcmp(keyword, "deny") && strcmp(keyword, "user") &&
		 strcmp(keyword, "limit") && strcmp(keyword, "interface") && strcmp(keyword, "host") &&
		 strcmp(keyword, "pasteboard"))
		mistake(keyword);
}

static void read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		dprintf(2, "model: there is no scenario %s\n", path);
		_exit(125);
	}
	while (getline(&line, &size, file) > 0)
		read_line(line);
	free(line);
	fclose(file);
}

int questions[QUESTION_KINDS];

static void count_questions(void)
{
	dprintf(2, "model: %d lists of descriptors, %d descriptors, %d identities\n",
		questions[LISTS_OF_DESCRIPTORS], questions[DESCRIPTORS], questions[IDENTITIES]);
}

__attribute__((constructor)) static void read_scenario(void)
{
	const char *path = getenv("MX_MODEL_SCENARIO");

	if (!path || !strchr(path, '/')) {
		dprintf(2, "model: MX_MODEL_SCENARIO is no path\n");
		_exit(125);
	}
	read_file(path);
	/* Reportedly so since macOS 27; no source of it is public (an uncertain rule). */
	model.lists_own_sockets = model.release >= 27;
	if (getenv("MX_MODEL_COUNT"))
		atexit(count_questions);
}

const char *scenario_nth(const char *keyword, int index)
{
	size_t length = strlen(keyword);

	for (int i = 0; i < line_count; i++)
		if (!strncmp(lines[i], keyword, length) && lines[i][length] == ' ' && !index--)
			return lines[i] + length + 1;
	return NULL;
}

const char *scenario_line(const char *keyword, const char *name)
{
	size_t length = strlen(name);
	const char *rest;

	for (int i = 0; (rest = scenario_nth(keyword, i)); i++)
		if (!strncmp(rest, name, length) && rest[length] == ' ')
			return rest + length + 1;
	return NULL;
}

int denied(const char *call)
{
	const char *rest = scenario_line("deny", call);

	return rest ? (int)number(rest) : 0;
}

int fails(int error)
{
	errno = error;
	return -1;
}

int fails_as_libproc(int error)
{
	errno = error;
	return 0;
}
