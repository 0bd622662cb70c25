/*
 * Structures of xnu 11417.101.15 (macOS 15.4) that no public header has. Written
 * from its sources, so a mistake here could agree with one in mx: each field
 * that mx reads is asserted at the offset counted in those sources.
 */
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* bsd/sys/proc_info_private.h; the flavour is in bsd/sys/proc_info.h behind PRIVATE. */
#define PROC_PIDUNIQIDENTIFIERINFO 17
struct proc_uniqidentifierinfo {
	uint8_t p_uuid[16];
	uint64_t p_uniqueid, p_puniqueid;
	int32_t p_idversion, p_orig_ppidversion;
	uint64_t p_reserve2, p_reserve3;
};
_Static_assert(sizeof(struct proc_uniqidentifierinfo) == 56, "as asserted in xnu");

/* Kinds of records: XSO_* of bsd/sys/socketvar.h. */
enum { XSO_SOCKET = 0x1, XSO_RCVBUF = 0x2, XSO_SNDBUF = 0x4, XSO_STATS = 0x8, XSO_INPCB = 0x10,
       XSO_TCPCB = 0x20 };

#pragma pack(4)

/* bsd/netinet/in_pcb.h */
struct xinpgen {
	uint32_t xig_len, xig_count;
	uint64_t xig_gen, xig_sogen;
};

struct xinpcb_n {
	uint32_t xi_len, xi_kind;
	uint64_t xi_inpp;
	uint16_t inp_fport, inp_lport;
	uint64_t inp_ppcb, inp_gencnt;
	int32_t inp_flags;
	uint32_t inp_flow;
	uint8_t inp_vflag, inp_ip_ttl, inp_ip_p;
	struct in6_addr inp6_foreign, inp6_local;
	uint8_t inp4_ip_tos;
	struct {
		uint8_t inp6_hlim;
		int32_t inp6_cksum;
		uint16_t inp6_ifindex;
		int16_t inp6_hops;
	} inp_depend6;
	uint32_t inp_flowhash, inp_flags2;
};
_Static_assert(offsetof(struct xinpcb_n, inp_vflag) == 44, "");
_Static_assert(offsetof(struct xinpcb_n, inp6_local) == 64, "");
_Static_assert(sizeof(struct xinpcb_n) == 104, "");

/* bsd/sys/socketvar.h */
struct xsocket_n {
	uint32_t xso_len, xso_kind;
	uint64_t xso_so;
	int16_t so_type;
	uint32_t so_options;
	int16_t so_linger, so_state;
	uint64_t so_pcb;
	int32_t xso_protocol, xso_family;
	int16_t so_qlen, so_incqlen, so_qlimit, so_timeo;
	uint16_t so_error;
	int32_t so_pgid;
	uint32_t so_oobmark, so_uid;
	int32_t so_last_pid, so_e_pid;
	uint64_t so_gencnt;
	uint32_t so_flags, so_flags1;
	int32_t so_usecount, so_retaincnt;
	uint32_t xso_filter_flags;
};
_Static_assert(offsetof(struct xsocket_n, so_uid) == 64, "");

struct xsockbuf_n {
	uint32_t xsb_len, xsb_kind, sb_cc, sb_hiwat, sb_mbcnt, sb_mbmax;
	int32_t sb_lowat;
	int16_t sb_flags, sb_timeo;
};

struct xsockstat_n {
	uint32_t xst_len, xst_kind;
	uint64_t xst_tc_stats[4][4];
};

/* bsd/netinet/tcp_var.h; only the state has a name here. */
struct xtcpcb_n {
	uint32_t xt_len, xt_kind;
	uint64_t t_segq;
	int32_t t_dupacks, t_timer[4], t_state;
	uint8_t rest[164];
};
_Static_assert(offsetof(struct xtcpcb_n, t_state) == 36, "");

#pragma pack()
