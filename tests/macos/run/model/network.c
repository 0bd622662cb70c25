/*
 * The sockets of mx itself: bind(2) and connect(2) by macOS's rules, against the
 * sockets of the scenario. A descriptor is the reading end of a pipe, which
 * never becomes writable. Unix sockets are the host's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/proc_info.h>
#include <sys/socket.h>
#include <sys/sysctl.h>

#include "model.h"

int host_close(int);
int host_connect(int, const struct sockaddr *, socklen_t);
int host_pipe(int *);
int64_t host_recv(int, void *, size_t, int);
int64_t host_send(int, const void *, size_t, int);
int host_socket(int, int, int);

static struct own {
	int fd, other_end, family, protocol, options, error;
	bool is_v6_only, is_connected;
	struct in6_addr local;
	uint16_t port;
	/* What the server has still to say; NULL if it says nothing and keeps the connection. */
	const char *reply;
} *own;
static int own_count;

static struct own *find(int fd)
{
	for (int i = 0; i < own_count; i++)
		if (own[i].fd == fd)
			return &own[i];
	return NULL;
}

bool is_own_socket(int fd)
{
	return find(fd) != NULL;
}

int socket(int family, int kind, int protocol)
{
	int ends[2];

	(void)protocol;
	if (family != AF_INET && family != AF_INET6)
		return host_socket(family, kind, protocol);
	if (host_pipe(ends))
		return -1;
	own = realloc(own, (size_t)++own_count * sizeof *own);
	own[own_count - 1] = (struct own){.fd = ends[0], .other_end = ends[1], .family = family,
		.protocol = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP};
	return ends[0];
}

int close(int fd)
{
	struct own *socket = find(fd);

	if (socket) {
		host_close(socket->other_end);
		*socket = own[--own_count];
	}
	return host_close(fd);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	struct own *socket = find(fd);
	int number = size >= sizeof number ? *(const int *)value : 0;

	if (!socket)
		return 0;
	if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY)
		socket->is_v6_only = number;
	if (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_REUSEPORT))
		socket->options = number ? socket->options | name : socket->options & ~name;
	return 0;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	struct own *socket = find(fd);

	if (!socket || level != SOL_SOCKET || name != SO_ERROR || *size < sizeof(int))
		return fails(ENOPROTOOPT);
	*(int *)value = socket->error;
	*size = sizeof(int);
	return 0;
}

/* An address as in a pcb: IPv4 in the last four bytes. */
static bool read_address(const struct sockaddr *from, struct in6_addr *address, uint16_t *port)
{
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;

	memset(address, 0, sizeof *address);
	if (from->sa_family == AF_INET) {
		memcpy((uint8_t *)address + 12, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
	} else {
		*address = v6->sin6_addr;
		/* bsd/netinet6/scope6.c:in6_embedscope. */
		if (IN6_IS_ADDR_LINKLOCAL(address))
			address->__u6_addr.__u6_addr16[1] = htons((uint16_t)v6->sin6_scope_id);
		*port = ntohs(v6->sin6_port);
	}
	return from->sa_family == AF_INET || from->sa_family == AF_INET6;
}

static bool is_any(const struct in6_addr *address)
{
	return IN6_IS_ADDR_UNSPECIFIED(address);
}

static bool same(const struct in6_addr *one, const struct in6_addr *other)
{
	return !memcmp(one, other, sizeof *one);
}

/* A scenario has `interface INDEX NAME ADDRESS…`; without one there are lo0 and en0. */
static const char *const INTERFACES[] = {"1 lo0 127.0.0.1 ::1 fe80::1", "4 en0 192.168.1.10 fe80::9",
					  NULL};

static const char *interface(int index)
{
	return scenario_nth("interface", 0) ? scenario_nth("interface", index) : INTERFACES[index];
}

static bool is_own_address(int family, const struct in6_addr *address)
{
	struct in6_addr plain = *address;
	char text[INET6_ADDRSTRLEN], *end;
	const char *line;
	size_t length;
	int scope = 0;

	if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(address)) {
		scope = ntohs(address->__u6_addr.__u6_addr16[1]);
		plain.__u6_addr.__u6_addr16[1] = 0;
		if (!scope)
			return false;
	}
	if (!inet_ntop(family, (uint8_t *)&plain + (family == AF_INET ? 12 : 0), text, sizeof text))
		return false;
	length = strlen(text);
	for (int i = 0; (line = interface(i)); i++)
		for (end = scope && scope != atoi(line) ? NULL : strstr(line, text); end;
		     end = strstr(end + 1, text))
			if (end[-1] == ' ' && (end[length] == ' ' || !end[length]))
				return true;
	return false;
}

char *if_indextoname(unsigned index, char *name)
{
	const char *line;
	unsigned number;

	for (int i = 0; (line = interface(i)); i++)
		if (sscanf(line, "%u %15s", &number, name) == 2 && number == index)
			return name;
	errno = ENXIO;
	return NULL;
}

unsigned if_nametoindex(const char *wanted)
{
	char name[16];
	const char *line;
	unsigned number;

	for (int i = 0; (line = interface(i)); i++)
		if (sscanf(line, "%u %15s", &number, name) == 2 && !strcmp(name, wanted))
			return number;
	errno = ENXIO;
	return 0;
}

/* What a bind looks at of a socket that is there. */
struct bound {
	int version, family, options;
	uid_t uid;
	const struct in6_addr *local;
	bool is_connected;
};

static bool nth_bound(size_t index, int protocol, uint16_t port, struct bound *bound)
{
	if (index < model.socket_count) {
		const struct socket *socket = &model.sockets[index];

		*bound = (struct bound){socket->version, socket->version & INI_IPV6 ? AF_INET6 : AF_INET,
					socket->options, socket->uid, &socket->local, socket->peer_port};
		return socket->protocol == protocol && socket->local_port == port && is_open(socket);
	}
	struct own *socket = &own[index - model.socket_count];

	*bound = (struct bound){socket->family == AF_INET ? INI_IPV4 : socket->is_v6_only || !is_any(&socket->local)
				? INI_IPV6 : INI_IPV4 | INI_IPV6, socket->family, socket->options,
				model.uid, &socket->local, false};
	return socket->protocol == protocol && socket->port == port;
}

/*
 * bsd/netinet/in_pcb.c:in_pcblookup_local and in6_pcb.c: the best match of an
 * address and port among the sockets of a version. Not wild: unconnected ones
 * with this very address. Wild: all, the one with the fewest wildcards first.
 */
static bool look_up(int version, const struct own *socket, const struct in6_addr *local,
		    uint16_t port, bool wild, struct bound *found)
{
	int fewest = 3;
	struct bound bound;

	for (size_t i = 0; i < model.socket_count + (size_t)own_count; i++) {
		int wildcards;

		if (!nth_bound(i, socket->protocol, port, &bound) || !(bound.version & version))
			continue;
		if (!is_any(bound.local) && !is_any(local) && !same(bound.local, local))
			continue;
		wildcards = bound.is_connected + (is_any(bound.local) != is_any(local));
		if (wildcards < fewest && (wild || wildcards == 0)) {
			fewest = wildcards;
			*found = bound;
		}
	}
	return fewest < 3;
}

/* The checks of bsd/netinet/in_pcb.c:in_pcbbind. Reservations of Skywalk are not modelled. */
static bool conflicts_v4(const struct own *socket, const struct in6_addr *local, uint16_t port,
			 bool for_v6)
{
	bool wild = !(socket->options & (SO_REUSEADDR | SO_REUSEPORT));
	struct bound other;

	if (model.uid != 0 && look_up(INI_IPV4, socket, local, port, true, &other) &&
	    other.uid != model.uid && (!is_any(local) || !is_any(other.local)))
		return true;
	if (!look_up(INI_IPV4, socket, local, port, wild, &other) ||
	    socket->options & other.options & SO_REUSEPORT)
		return false;
	if (for_v6)
		return !is_any(other.local) || other.family == AF_INET6;
	return !is_any(local) || !is_any(other.local) || other.family != AF_INET6 ||
	       socket->family != AF_INET6;
}

/* The checks of bsd/netinet6/in6_pcb.c:in6_pcbbind. */
static bool conflicts_v6(const struct own *socket, const struct in6_addr *local, uint16_t port)
{
	bool wild = !(socket->options & (SO_REUSEADDR | SO_REUSEPORT));
	struct bound other;

	if (model.uid != 0 && look_up(INI_IPV6, socket, local, port, true, &other) &&
	    other.uid != model.uid &&
	    (!is_any(local) || !is_any(other.local) || !(other.options & SO_REUSEPORT)))
		return true;
	if (look_up(INI_IPV6, socket, local, port, wild, &other) &&
	    !(socket->options & other.options & SO_REUSEPORT))
		return true;
	return !socket->is_v6_only && is_any(local) && conflicts_v4(socket, local, port, true);
}

static bool conflicts(const struct own *socket, const struct in6_addr *local, uint16_t port)
{
	return socket->family == AF_INET ? conflicts_v4(socket, local, port, false)
					 : conflicts_v6(socket, local, port);
}

static uint16_t ephemeral(const struct own *socket, const struct in6_addr *local)
{
	uint32_t first = 49152, last = 65535;
	size_t size = sizeof first;

	sysctlbyname("net.inet.ip.portrange.first", &first, &size, NULL, 0);
	sysctlbyname("net.inet.ip.portrange.last", &last, &size, NULL, 0);
	for (uint32_t port = first; port <= last; port++)
		if (!conflicts(socket, local, (uint16_t)port))
			return (uint16_t)port;
	return 0;
}

/* A port below 1024 is privileged at a specific address only (in_pcbbind, on macOS). */
int bind(int fd, const struct sockaddr *address, socklen_t size)
{
	struct own *socket = find(fd);
	struct in6_addr local;
	uint16_t port;

	(void)size;
	if (!socket)
		return fails(EBADF);
	if (!read_address(address, &local, &port) || socket->port)
		return fails(EINVAL);
	if (!is_any(&local) && !is_own_address(socket->family, &local))
		return fails(EADDRNOTAVAIL);
	if (port && port < IPPORT_RESERVED && !is_any(&local) && model.uid != 0)
		return fails(EACCES);
	if (port ? conflicts(socket, &local, port) : !(port = ephemeral(socket, &local)))
		return fails(EADDRINUSE);
	socket->local = local;
	socket->port = port;
	return 0;
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
	struct own *socket = find(fd);
	struct sockaddr_in v4 = {.sin_len = sizeof v4, .sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_len = sizeof v6, .sin6_family = AF_INET6};
	bool is_v4 = socket && socket->family == AF_INET;
	socklen_t length = is_v4 ? sizeof v4 : sizeof v6;

	if (!socket)
		return fails(EBADF);
	v4.sin_port = v6.sin6_port = htons(socket->port);
	memcpy(&v4.sin_addr, (uint8_t *)&socket->local + 12, 4);
	v6.sin6_addr = socket->local;
	memcpy(address, is_v4 ? (void *)&v4 : (void *)&v6, *size < length ? *size : length);
	*size = length;
	return 0;
}

/* The listener that a client reaches: one at the very address before a wildcard (in_pcblookup_hash). */
static const struct socket *listener(const struct own *own, const struct in6_addr *to, uint16_t port)
{
	int version = own->family == AF_INET ? INI_IPV4 : INI_IPV6;
	const struct socket *best = NULL;

	for (size_t i = 0; i < model.socket_count; i++) {
		const struct socket *socket = &model.sockets[i];

		if (socket->protocol != own->protocol || socket->local_port != port ||
		    socket->state != 1 || !is_open(socket) || !(socket->version & version))
			continue;
		if (same(&socket->local, to) || (is_any(&socket->local) && !best))
			best = socket;
	}
	return best;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	struct own *socket = find(fd);
	const struct socket *found;
	struct in6_addr to;
	uint16_t port;

	if (!socket)
		return host_connect(fd, address, size);
	if (!read_address(address, &to, &port))
		return fails(EAFNOSUPPORT);
	if (!is_own_address(socket->family, &to))
		return fails(ENETUNREACH);
	found = listener(socket, &to, port);
	if (!found)
		return fails(ECONNREFUSED);
	/* A listener whose queue is full answers nothing. */
	if (found->hangs)
		return fails(EINPROGRESS);
	socket->is_connected = true;
	socket->reply = found->reply;
	return 0;
}

/* A server answers at once, and closes the connection after its reply. */
bool own_socket_is_ready(int fd, short events, short *ready)
{
	struct own *socket = find(fd);

	*ready = 0;
	if (socket->is_connected && events & POLLOUT)
		*ready |= POLLOUT;
	if (socket->reply && events & POLLIN)
		*ready |= POLLIN;
	return *ready;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	return find(fd) ? (ssize_t)size : host_send(fd, bytes, size, flags);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	struct own *socket = find(fd);
	size_t length;

	if (!socket)
		return host_recv(fd, buffer, size, flags);
	if (!socket->reply)
		return fails(EAGAIN);
	length = strlen(socket->reply);
	length = length < size ? length : size;
	memcpy(buffer, socket->reply, length);
	socket->reply += length;
	return (ssize_t)length;
}
