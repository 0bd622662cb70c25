/*
 * A model of what Darwin's kernel tells mx: processes, sockets, limits, and a
 * pasteboard, as a scenario describes them (../README.md has its form).
 *
 * Rules are those of xnu 11417.101.15 (macOS 15.4), read in its sources and
 * cited as file:function; those of libraries name their library. Built with Apple's
 * headers into a Mach-O library, so that numbers and layouts are theirs.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A program: a process after an exec is another one with the same PID and unique id. */
struct process {
	pid_t pid, parent, group, restarts;
	uid_t uid;
	/* Questions until it ends, or becomes the next of its PID; -1 for never. */
	int ends;
	/* Questions that it outlives a signal for. */
	int slow;
	int files;
	uint64_t unique, start;
	const char *name, *comm, *executable, *directory, *arguments, *environment;
	bool is_self, is_dead, is_zombie, is_stubborn, is_restricted, starts_later;
	bool stays_zombie, is_stopped, is_asked_to_end;
};

struct socket {
	/* The process of `pid` that was described last before it; NULL if no process holds it. */
	size_t holder;
	bool has_holder;
	int fd, protocol, state, version, options;
	uint32_t fileport;
	uint64_t handle;
	uid_t uid;
	bool is_unlisted, hangs;
	/* What it says to a client; NULL for nothing. */
	const char *reply;
	struct in6_addr local, peer;
	uint16_t local_port, peer_port;
};

struct model {
	struct process *processes;
	size_t process_count;
	struct socket *sockets;
	size_t socket_count;
	pid_t self, parent;
	uid_t uid;
	int release;
	uint64_t now;
	bool lists_own_sockets;
};

extern struct model model;

/* How often mx asked; printed at its end if MX_MODEL_COUNT is set. */
enum { LISTS_OF_DESCRIPTORS, DESCRIPTORS, IDENTITIES, QUESTION_KINDS };
extern int questions[QUESTION_KINDS];

/* Whether the scenario has one; the text after `KEYWORD NAME `; NULL if it has not. */
const char *scenario_line(const char *keyword, const char *name);
/* The number of the nth line with a keyword. */
const char *scenario_nth(const char *keyword, int index);

/* The errno that the scenario denies a call with; 0 if it does not. */
int denied(const char *call);
/* Counts as a question to a process; NULL if there is none with this PID, or only a zombie. */
struct process *find_process(pid_t pid);
/* Whether it runs now: it is not yet to start, and no earlier line of its PID runs. */
bool is_running(const struct process *process);
/* The same for a zombie. */
struct process *find_zombie(pid_t pid);
/* Whether a process holds the socket, or none has to. */
bool is_open(const struct socket *socket);
/* Sets errno; returns -1, or 0 for libproc (libproc.c turns -1 into 0). */
int fails(int number);
int fails_as_libproc(int number);
/* Whether a descriptor is a socket of the model. */
bool is_own_socket(int fd);
/* Whether one of these events of poll(2) is there for it. */
bool own_socket_is_ready(int fd, short events, short *ready);
void pass_time(int64_t nanoseconds);
int sysctl_socket_list(int protocol, void *buffer, size_t *size);
/* Copies out as sysctl does; ENOMEM and nothing if it does not fit (kern_newsysctl.c:sysctl_old_user). */
int copy_out(const void *from, size_t length, void *buffer, size_t *size);
