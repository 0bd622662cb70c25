/* sysctl(3), limits, users. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

#include "model.h"

int copy_out(const void *from, size_t length, void *buffer, size_t *size)
{
	if (buffer && *size < length) {
		*size = 0;
		return fails(ENOMEM);
	}
	if (buffer)
		memcpy(buffer, from, length);
	*size = length;
	return 0;
}

static char *append(char *at, const char *text)
{
	unsigned byte;

	for (; *text && *text != ','; text++)
		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1)
			*at++ = (char)byte, text += 2;
		else
			*at++ = *text;
	*at++ = 0;
	return at;
}

/* Appends each item of a list that is separated by commas; counts them. */
static int append_all(char **at, const char *list)
{
	int count = 0;

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL, count++)
		*at = append(*at, list);
	return count;
}

/*
 * bsd/kern/kern_sysctl.c:sysctl_procargsx: EINVAL for no process and for another
 * user's; the environment of a restricted program is left out; the size alone is
 * given to anybody if it is not. The path is padded to the size of a pointer
 * (kern_exec.c:exec_extract_strings).
 */
static int start_of_process(pid_t pid, void *buffer, size_t *size)
{
	static char bytes[1 << 20];
	struct process *process = find_process(pid);
	char *at = bytes + sizeof(int);
	int count;

	if (!process || (buffer && *size < sizeof(int)))
		return fails(EINVAL);
	if (model.uid != 0 && model.uid != process->uid && (buffer || process->is_restricted))
		return fails(EINVAL);
	memset(bytes, 0, sizeof bytes);
	strcpy(at, process->executable);
	at += (strlen(at) + 8) & ~7ul;
	count = append_all(&at, process->arguments);
	memcpy(bytes, &count, sizeof count);
	if (!process->is_restricted)
		append_all(&at, process->environment);
	/* What does not fit is cut at its front, after the count, and that is no error. */
	if (buffer && *size < (size_t)(at - bytes)) {
		memmove(bytes + sizeof count, at - (*size - sizeof count), *size - sizeof count);
		at = bytes + *size;
	}
	return copy_out(bytes, (size_t)(at - bytes), buffer, size);
}

int sysctl(int *name, unsigned length, void *buffer, size_t *size, void *new, size_t new_size)
{
	(void)new, (void)new_size;
	if (length == 3 && name[0] == CTL_KERN && name[1] == KERN_PROCARGS2)
		return start_of_process(name[2], buffer, size);
	return fails(ENOENT);
}

/* A scenario has `sysctl NAME VALUE BYTES`, or `sysctl NAME VALUE text`. */
int sysctlbyname(const char *name, void *buffer, size_t *size, void *new, size_t new_size)
{
	const char *line = scenario_line("sysctl", name);
	char text[128], *end;
	uint64_t value;
	unsigned bytes;

	(void)new, (void)new_size;
	if (denied(name))
		return fails(denied(name));
	if (!strcmp(name, "net.inet.tcp.pcblist_n"))
		return sysctl_socket_list(IPPROTO_TCP, buffer, size);
	if (!strcmp(name, "net.inet.udp.pcblist_n"))
		return sysctl_socket_list(IPPROTO_UDP, buffer, size);
	if (!line)
		return fails(ENOENT);
	if (sscanf(line, "%llu %u", &value, &bytes) == 2)
		return copy_out(&value, bytes, buffer, size);
	snprintf(text, sizeof text, "%.*s", (int)strcspn(line, " "), line);
	end = append(text, text);
	return copy_out(text, (size_t)(end - text), buffer, size);
}

static const char *const LIMITS[RLIM_NLIMITS] = {"cpu", "fsize", "data", "stack", "core", "as",
						 "memlock", "nproc", "nofile"};

/* What was set is kept in the environment, so that a program started by exec finds it. */
static const char *variable(int resource)
{
	static char name[32];

	snprintf(name, sizeof name, "MX_MODEL_LIMIT_%s", LIMITS[resource]);
	return name;
}

static uint64_t limit(const char *text)
{
	return *text == '-' ? RLIM_INFINITY : strtoull(text, NULL, 10);
}

int getrlimit(int resource, struct rlimit *limits)
{
	const char *line;

	resource &= ~0x1000; /* _RLIMIT_POSIX_FLAG */
	if (resource < 0 || resource >= RLIM_NLIMITS)
		return fails(EINVAL);
	line = getenv(variable(resource));
	if (!line)
		line = scenario_line("limit", LIMITS[resource]);
	*limits = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	if (line)
		*limits = (struct rlimit){limit(line), limit(strchr(line, ' ') + 1)};
	return 0;
}

/*
 * bsd/kern/kern_resource.c:dosetrlimit. Up to macOS 10.15 (xnu 6153), a limit of
 * nofile above kern.maxfilesperproc was EINVAL; since macOS 11 (xnu 7195) it is
 * taken as it is and the lower of both holds. nproc is lowered without a word.
 */
int setrlimit(int resource, const struct rlimit *wanted)
{
	struct rlimit old, new = *wanted;
	char text[64];
	uint64_t most = 0;
	size_t size = sizeof most;

	resource &= ~0x1000;
	if (getrlimit(resource, &old))
		return -1;
	if (new.rlim_cur > new.rlim_max)
		return fails(EINVAL);
	if (new.rlim_max > old.rlim_max && model.uid != 0)
		return fails(EPERM);
	if (resource == RLIMIT_NOFILE && model.release < 11 &&
	    !sysctlbyname("kern.maxfilesperproc", &most, &size, NULL, 0) && new.rlim_cur > most &&
	    new.rlim_cur != old.rlim_cur)
		return fails(EINVAL);
	if (resource == RLIMIT_NPROC &&
	    !sysctlbyname(model.uid ? "kern.maxprocperuid" : "kern.maxproc", &most, &size, NULL, 0)) {
		new.rlim_cur = new.rlim_cur > most ? most : new.rlim_cur;
		new.rlim_max = new.rlim_max > most ? most : new.rlim_max;
	}
	snprintf(text, sizeof text, "%lld %lld",
		 new.rlim_cur == RLIM_INFINITY ? -1ll : (long long)new.rlim_cur,
		 new.rlim_max == RLIM_INFINITY ? -1ll : (long long)new.rlim_max);
	return setenv(variable(resource), text, 1);
}

/*
 * A scenario has `user UID NAME`. An unknown user is no error, and ERANGE the only one
 * (Libinfo 600, lookup.subproj/libinfo.c:getpwuid_r).
 */
static int user(const char *name, uid_t uid, struct passwd *entry, char *buffer, size_t size,
		struct passwd **found)
{
	const char *line;
	unsigned number;

	*found = NULL;
	for (int i = 0; (line = scenario_nth("user", i)); i++) {
		if (size < 64 || sscanf(line, "%u %63s", &number, buffer) != 2)
			return ERANGE;
		if (name ? strcmp(name, buffer) : number != uid)
			continue;
		*entry = (struct passwd){.pw_name = buffer, .pw_uid = number, .pw_passwd = "*",
					 .pw_dir = "/Users/me", .pw_shell = "/bin/zsh",
					 .pw_class = "", .pw_gecos = ""};
		*found = entry;
		return 0;
	}
	return 0;
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **found)
{
	return user(NULL, uid, entry, buffer, size, found);
}

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
	       struct passwd **found)
{
	return user(name, 0, entry, buffer, size, found);
}
