/* Names of hosts: localhost, addresses, and `host NAME ADDRESS…` of a scenario. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* One answer, followed by its address. */
struct answer {
	struct addrinfo info;
	struct sockaddr_storage address;
};

static struct addrinfo *answer(const char *text, uint16_t port, const struct addrinfo *hints)
{
	struct answer *made = calloc(1, sizeof *made);
	struct sockaddr_in *v4 = (void *)&made->address;
	struct sockaddr_in6 *v6 = (void *)&made->address;
	bool is_v4 = inet_pton(AF_INET, text, &v4->sin_addr) == 1;

	if (!is_v4 && inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		free(made);
		return NULL;
	}
	/* The length, the family and the port are at the same places in both. */
	v4->sin_len = is_v4 ? sizeof *v4 : sizeof *v6;
	v4->sin_family = is_v4 ? AF_INET : AF_INET6;
	v4->sin_port = htons(port);
	made->info = (struct addrinfo){.ai_family = v4->sin_family, .ai_addrlen = v4->sin_len,
				       .ai_addr = (void *)&made->address,
				       .ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM};
	return &made->info;
}

/* Appends an answer for each address in a list that is separated by spaces. */
static void append(struct addrinfo ***end, const char *list, uint16_t port,
		   const struct addrinfo *hints)
{
	char *copy = strdup(list), *rest = copy, *word;

	while ((word = strsep(&rest, " ")))
		if (*word && (**end = answer(word, port, hints)))
			*end = &(**end)->ai_next;
	free(copy);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	uint16_t port = service ? (uint16_t)strtoull(service, NULL, 10) : 0;
	const char *line = scenario_line("host", name ? name : "");
	struct addrinfo **end = found;

	*found = NULL;
	if (line)
		append(&end, line, port, hints);
	else if (!name || !strcmp(name, "localhost"))
		append(&end, "::1 127.0.0.1", port, hints);
	else
		append(&end, name, port, hints);
	return *found ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

const char *gai_strerror(int error)
{
	return error == EAI_NONAME ? "nodename nor servname provided, or not known" : "Unknown error";
}
