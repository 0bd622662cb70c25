/* Sockets as libproc and net.inet.{tcp,udp}.pcblist_n show them. */
#include <errno.h>
#include <libproc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/proc_info.h>
#include <sys/socket.h>

#include "model.h"
#include "private.h"

bool is_open(const struct socket *socket)
{
	return !socket->has_holder || is_running(&model.processes[socket->holder]);
}

static int family(const struct socket *socket)
{
	return socket->version & INI_IPV6 ? AF_INET6 : AF_INET;
}

/* bsd/kern/socket_info.c:fill_socketinfo: ports in network order inside an int. */
static int describe(const struct socket *socket, struct socket_fdinfo *info, int size)
{
	struct socket_info *psi = &info->psi;
	struct in_sockinfo *inet = &psi->soi_proto.pri_in;

	if (size < (int)sizeof *info)
		return fails_as_libproc(ENOMEM);
	memset(info, 0, sizeof *info);
	psi->soi_so = socket->handle;
	psi->soi_type = socket->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
	psi->soi_protocol = socket->protocol;
	psi->soi_family = family(socket);
	psi->soi_kind = socket->protocol == IPPROTO_TCP ? SOCKINFO_TCP : SOCKINFO_IN;
	inet->insi_fport = htons(socket->peer_port);
	inet->insi_lport = htons(socket->local_port);
	inet->insi_vflag = (uint8_t)socket->version;
	inet->insi_faddr.ina_6 = socket->peer;
	inet->insi_laddr.ina_6 = socket->local;
	if (socket->protocol == IPPROTO_TCP)
		psi->soi_proto.pri_tcp.tcpsi_state = socket->state;
	return sizeof *info;
}

/* bsd/kern/proc_info.c:proc_pidfdinfo and proc_pidfileportinfo: the same user, or root. */
static int describe_held(int pid, uint32_t number, bool is_fileport, void *buffer, int size)
{
	struct process *process = find_process(pid);
	bool is_file = !is_fileport && process && number < (uint32_t)process->files;

	questions[DESCRIPTORS]++;
	if (!process)
		return fails_as_libproc(ESRCH);
	if (model.uid != 0 && model.uid != process->uid)
		return fails_as_libproc(EPERM);
	for (size_t i = 0; i < model.socket_count; i++) {
		const struct socket *socket = &model.sockets[i];

		if (socket->has_holder && &model.processes[socket->holder] == process &&
		    (is_fileport ? socket->fileport : (uint32_t)socket->fd) == number &&
		    !socket->fileport == !is_fileport)
			return describe(socket, buffer, size);
	}
	return fails_as_libproc(is_fileport ? EINVAL : is_file ? ENOTSOCK : EBADF);
}

int proc_pidfdinfo(int pid, int fd, int flavor, void *buffer, int size)
{
	/* A sandbox may deny it alone (proc_security_policy asks the policy for each call). */
	if (denied("proc_pidfdinfo"))
		return fails_as_libproc(denied("proc_pidfdinfo"));
	if (flavor != PROC_PIDFDSOCKETINFO)
		return fails_as_libproc(EINVAL);
	return describe_held(pid, (uint32_t)fd, false, buffer, size);
}

int proc_pidfileportinfo(int pid, uint32_t port, int flavor, void *buffer, int size)
{
	if (flavor != PROC_PIDFILEPORTSOCKETINFO)
		return fails_as_libproc(EINVAL);
	return describe_held(pid, port, true, buffer, size);
}

/* Several processes may hold one socket; the list has it once. */
static bool is_listed(size_t index, int protocol)
{
	const struct socket *socket = &model.sockets[index];

	if (socket->protocol != protocol || socket->is_unlisted || !is_open(socket))
		return false;
	if (model.lists_own_sockets && model.uid != 0 && socket->uid != model.uid)
		return false;
	for (size_t i = 0; i < index; i++)
		if (socket->handle && model.sockets[i].handle == socket->handle &&
		    is_open(&model.sockets[i]))
			return false;
	return true;
}

/* Records are padded to 8 bytes (ROUNDUP64 of in_pcblist.c). */
static void *record(uint8_t **at, size_t size, uint32_t kind)
{
	uint32_t *start = (uint32_t *)*at;

	memset(*at, 0, (size + 7) & ~7ul);
	start[0] = (uint32_t)size;
	start[1] = kind;
	*at += (size + 7) & ~7ul;
	return start;
}

/* bsd/netinet/in_pcblist.c:get_pcblist_n: the records of one socket, in this order. */
static void list(const struct socket *socket, uint8_t **at)
{
	struct xinpcb_n *pcb = record(at, sizeof *pcb, XSO_INPCB);
	struct xsocket_n *own = record(at, sizeof *own, XSO_SOCKET);

	pcb->inp_fport = htons(socket->peer_port);
	pcb->inp_lport = htons(socket->local_port);
	pcb->inp_vflag = (uint8_t)socket->version;
	pcb->inp_ip_p = (uint8_t)socket->protocol;
	pcb->inp6_foreign = socket->peer;
	pcb->inp6_local = socket->local;
	own->xso_so = socket->handle;
	own->xso_protocol = socket->protocol;
	own->xso_family = family(socket);
	own->so_uid = socket->uid;
	record(at, sizeof(struct xsockbuf_n), XSO_RCVBUF);
	record(at, sizeof(struct xsockbuf_n), XSO_SNDBUF);
	record(at, sizeof(struct xsockstat_n), XSO_STATS);
	if (socket->protocol == IPPROTO_TCP)
		((struct xtcpcb_n *)record(at, sizeof(struct xtcpcb_n), XSO_TCPCB))->t_state =
			socket->state;
}

int sysctl_socket_list(int protocol, void *buffer, size_t *size)
{
	enum { MOST = 1024 }; /* More than the records of one socket take. */
	uint8_t *bytes = malloc((model.socket_count + 1) * MOST), *at = bytes;
	struct xinpgen *first = (void *)at;
	uint32_t count = 0;
	int outcome;

	at += sizeof *first;
	for (size_t i = 0; i < model.socket_count; i++)
		if (is_listed(i, protocol)) {
			list(&model.sockets[i], &at);
			count++;
		}
	*first = (struct xinpgen){.xig_len = sizeof *first, .xig_count = count};
	/* Without sockets there is no second header. */
	if (count) {
		memcpy(at, first, sizeof *first);
		at += sizeof *first;
	}
	/* The size alone has room for an eighth more, and one. */
	if (!buffer)
		*size = (size_t)(at - bytes) + (count / 8 + 1) * 752;
	outcome = buffer ? copy_out(bytes, (size_t)(at - bytes), buffer, size) : 0;
	free(bytes);
	return outcome;
}
