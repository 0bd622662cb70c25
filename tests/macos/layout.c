/*
 * Compares Apple's headers with what crates/ports/src/darwin.rs and the files
 * macos.rs of crates/ports and crates/limits take for granted. It is compiled
 * by tests/macos/check and never run: a number that is wrong does not compile.
 *
 * The Rust code decodes bytes at fixed offsets, since the crate libc has only
 * some of these structures. When a number changes there, change it here.
 *
 * The records of net.inet.{tcp,udp}.pcblist_n (xinpcb_n, xsocket_n, xtcpcb_n)
 * are absent: they stand in xnu's sources behind PRIVATE, no public header has
 * them, and a copy of ours would only agree with itself.
 */

#include <libproc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/errno.h>
#include <sys/event.h>
#include <sys/proc.h>
#include <sys/proc_info.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

#define IS(expression, number) _Static_assert((expression) == (number), #expression)
#define SIZE(type, number) IS(sizeof(type), number)
#define FIELD_SIZE(type, field, number) IS(sizeof(((type *)0)->field), number)
/* The size of a field matters as much as its offset: both are read as one. */
#define FIELD(type, field, offset, size)                                       \
	IS(offsetof(type, field), offset);                                     \
	FIELD_SIZE(type, field, size)

/* The bytes are read as little-endian. */
IS(__BYTE_ORDER__, __ORDER_LITTLE_ENDIAN__);

/* A list of process ids, read as 4 bytes each. */
SIZE(pid_t, 4);

/* DESCRIPTOR: one decoder serves both lists, so both have the same layout. */
SIZE(struct proc_fdinfo, 8);
FIELD(struct proc_fdinfo, proc_fd, 0, 4);
FIELD(struct proc_fdinfo, proc_fdtype, 4, 4);
SIZE(struct proc_fileportinfo, 8);
FIELD(struct proc_fileportinfo, proc_fileport, 0, 4);
FIELD(struct proc_fileportinfo, proc_fdtype, 4, 4);
IS(PROX_FDTYPE_SOCKET, 2);

/* SOCKET_INFO. Offsets are written as there: psi behind 24 bytes of pfi. */
SIZE(struct socket_fdinfo, 792);
IS(offsetof(struct socket_fdinfo, psi), 24);
FIELD(struct socket_fdinfo, psi.soi_so, 24 + 136, 8);
FIELD(struct socket_fdinfo, psi.soi_protocol, 24 + 156, 4);
FIELD(struct socket_fdinfo, psi.soi_kind, 24 + 232, 4);
IS(offsetof(struct socket_fdinfo, psi.soi_proto), 24 + 240);
IS(SOCKINFO_IN, 1);
IS(SOCKINFO_TCP, 2);
IS(IPPROTO_TCP, 6);
IS(IPPROTO_UDP, 17);

/* A port is the first two bytes, in network order, of an int of four. */
SIZE(struct in_sockinfo, 80);
FIELD(struct in_sockinfo, insi_fport, 0, 4);
FIELD(struct in_sockinfo, insi_lport, 4, 4);
FIELD(struct in_sockinfo, insi_vflag, 24, 1);
FIELD(struct in_sockinfo, insi_faddr, 32, 16);
FIELD(struct in_sockinfo, insi_laddr, 48, 16);
FIELD(struct in4in6_addr, i46a_addr4, 12, 4);
IS(INI_IPV4, 1);
IS(INI_IPV6, 2);

/* TCP puts its state behind what it shares with UDP. */
IS(offsetof(struct tcp_sockinfo, tcpsi_ini), 0);
FIELD(struct tcp_sockinfo, tcpsi_state, 80, 4);
IS(TSI_S_CLOSED, 0);
IS(TSI_S_LISTEN, 1);
IS(TSI_S_SYN_SENT, 2);
IS(TSI_S_SYN_RECEIVED, 3);
IS(TSI_S_ESTABLISHED, 4);
IS(TSI_S__CLOSE_WAIT, 5);
IS(TSI_S_FIN_WAIT_1, 6);
IS(TSI_S_CLOSING, 7);
IS(TSI_S_LAST_ACK, 8);
IS(TSI_S_FIN_WAIT_2, 9);
IS(TSI_S_TIME_WAIT, 10);

/* PROCESS_INFO. */
SIZE(struct proc_bsdinfo, 136);
FIELD(struct proc_bsdinfo, pbi_ppid, 16, 4);
FIELD(struct proc_bsdinfo, pbi_uid, 20, 4);
FIELD(struct proc_bsdinfo, pbi_comm, 48, 16);
FIELD(struct proc_bsdinfo, pbi_name, 64, 32);
FIELD(struct proc_bsdinfo, pbi_start_tvsec, 120, 8);
FIELD(struct proc_bsdinfo, pbi_start_tvusec, 128, 8);

/* SHORT_INFO. */
SIZE(struct proc_bsdshortinfo, 64);
FIELD(struct proc_bsdshortinfo, pbsi_ppid, 4, 4);
FIELD(struct proc_bsdshortinfo, pbsi_status, 12, 4);
FIELD(struct proc_bsdshortinfo, pbsi_comm, 16, 16);
FIELD(struct proc_bsdshortinfo, pbsi_uid, 36, 4);

/* DIRECTORY_INFO. */
SIZE(struct proc_vnodepathinfo, 2352);
FIELD(struct proc_vnodepathinfo, pvi_cdir.vip_path, 152, 1024);

/* What macos.rs asks for, whether the number is its own or the crate libc's. */
IS(PROC_ALL_PIDS, 1);
IS(PROC_RUID_ONLY, 5);
IS(PROC_PIDLISTFDS, 1);
IS(PROC_PIDTBSDINFO, 3);
IS(PROC_PIDVNODEPATHINFO, 9);
IS(PROC_PIDT_SHORTBSDINFO, 13);
IS(PROC_PIDLISTFILEPORTS, 14);
IS(PROC_PIDFDSOCKETINFO, 3);
IS(PROC_PIDFILEPORTSOCKETINFO, 3);
IS(SSTOP, 4);
IS(PROC_PIDPATHINFO_MAXSIZE, 4096);
IS(CTL_KERN, 1);
IS(KERN_PROCARGS2, 49);
IS(IF_NAMESIZE, 16);
IS(ESRCH, 3);
IS(ENOMEM, 12);
IS(EBADF, 9);
IS(EINVAL, 22);
IS(ENOTSOCK, 38);
IS(ENOTSUP, 45);
IS(EOPNOTSUPP, 102);
/* The end of a process by kqueue(2). */
SIZE(struct kevent, 32);
IS(EVFILT_PROC, -5);
IS(NOTE_EXIT, (int)0x80000000);

/* The functions as the crate libc declares them: C refuses a second declaration that differs. */
int proc_listpids(uint32_t, uint32_t, void *, int);
int proc_pidinfo(int, int, uint64_t, void *, int);
int proc_pidfdinfo(int, int, int, void *, int);
int proc_pidfileportinfo(int, uint32_t, int, void *, int);
int proc_pidpath(int, void *, uint32_t);
int sysctl(int *, unsigned int, void *, size_t *, void *, size_t);
int sysctlbyname(const char *, void *, size_t *, void *, size_t);
char *if_indextoname(unsigned int, char *);
unsigned int if_nametoindex(const char *);

/* crates/limits/src/macos.rs knows nine limits, two of which are one number. */
IS(RLIM_NLIMITS, 9);
IS(RLIMIT_AS, RLIMIT_RSS);
