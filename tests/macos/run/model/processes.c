/* Processes: libproc, kill(2), and the end of processes by kqueue(2). */
#include <errno.h>
#include <libproc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/proc.h>
#include <sys/proc_info.h>
#include <time.h>
#include <unistd.h>

#include "model.h"
#include "private.h"

/* Functions of the host, which the shim has. */
int host_kill(pid_t, int);
int host_pipe(int *);

/* bsd/sys/proc.h */
static uint32_t status(const struct process *process)
{
	return process->is_zombie ? SZOMB : process->is_stopped ? SSTOP : SRUN;
}

pid_t getpid(void) { return model.self; }
pid_t getppid(void) { return model.parent; }
uid_t getuid(void) { return model.uid; }
uid_t geteuid(void) { return model.uid; }

/* The group staff, which every user of a Mac is in. */
gid_t getegid(void) { return 20; }

int getgroups(int room, gid_t *groups)
{
	if (room > 0)
		groups[0] = getegid();
	return 1;
}

/* Its service manager may start another in the place of a process. */
static void start_next(const struct process *process)
{
	for (size_t i = 0; i < model.process_count; i++)
		if (process->restarts && model.processes[i].pid == process->restarts)
			model.processes[i].starts_later = false;
}

static void end(struct process *process)
{
	if (process->stays_zombie)
		process->is_zombie = true;
	else
		process->is_dead = true;
	start_next(process);
}

static bool is_alive(const struct process *process)
{
	return !process->is_dead && !process->is_zombie && !process->starts_later;
}

bool is_running(const struct process *process)
{
	for (const struct process *one = model.processes; one < process; one++)
		if (one->pid == process->pid && one->ends != 0 && is_alive(one))
			return false;
	return process->ends != 0 && is_alive(process);
}

struct process *find_process(pid_t pid)
{
	for (size_t i = 0; i < model.process_count; i++) {
		struct process *process = &model.processes[i];

		if (process->pid != pid || !is_alive(process))
			continue;
		if (process->ends != 0) {
			process->ends -= process->ends > 0;
			/* Nobody may ask for it again. */
			if (!process->ends)
				start_next(process);
			return process;
		}
		end(process);
	}
	return NULL;
}

struct process *find_zombie(pid_t pid)
{
	for (size_t i = 0; i < model.process_count; i++)
		if (model.processes[i].pid == pid && model.processes[i].is_zombie)
			return &model.processes[i];
	return NULL;
}

/* bsd/kern/proc_info.c:proc_security_policy: the same user, or root. */
static bool may_look_into(const struct process *process)
{
	return model.uid == 0 || model.uid == process->uid;
}

/*
 * bsd/kern/proc_info.c:proc_listpids: as many as fit, without a word about the
 * rest; newest first, zombies last. Without a buffer, room for 20 more.
 */
int proc_listpids(uint32_t type, uint32_t argument, void *buffer, int size)
{
	int *pids = buffer, count = 0, room = size / (int)sizeof *pids;

	if (denied("proc_listpids"))
		return fails_as_libproc(denied("proc_listpids"));
	if (!buffer)
		return (int)((model.process_count + 20) * sizeof *pids);
	if (size < (int)sizeof *pids)
		return fails_as_libproc(ENOMEM);
	for (int zombies = 0; zombies < 2; zombies++)
		for (size_t i = model.process_count; i-- > 0 && count < room;) {
			const struct process *process = &model.processes[i];

			if (zombies ? !process->is_zombie : !is_running(process))
				continue;
			if (type == PROC_ALL_PIDS || (type == PROC_RUID_ONLY && process->uid == argument))
				pids[count++] = process->pid;
		}
	return count * (int)sizeof *pids;
}

static int list_descriptors(const struct process *process, struct proc_fdinfo *list, int room)
{
	int count = 0;

	for (; count < process->files && count < room; count++)
		list[count] = (struct proc_fdinfo){.proc_fd = count, .proc_fdtype = PROX_FDTYPE_VNODE};
	for (size_t i = 0; i < model.socket_count && count < room; i++)
		if (model.sockets[i].has_holder && !model.sockets[i].fileport &&
		    &model.processes[model.sockets[i].holder] == process)
			list[count++] = (struct proc_fdinfo){.proc_fd = model.sockets[i].fd,
							    .proc_fdtype = PROX_FDTYPE_SOCKET};
	return count * (int)sizeof *list;
}

/* bsd/kern/proc_info.c:proc_pidfileportlist; none gives 0, and leaves errno alone. */
static int list_fileports(const struct process *process, struct proc_fileportinfo *list, int room)
{
	int count = 0;

	for (size_t i = 0; i < model.socket_count && count < room; i++)
		if (model.sockets[i].has_holder && model.sockets[i].fileport &&
		    &model.processes[model.sockets[i].holder] == process)
			list[count++] = (struct proc_fileportinfo){
				.proc_fileport = model.sockets[i].fileport,
				.proc_fdtype = PROX_FDTYPE_SOCKET};
	return count * (int)sizeof *list;
}

static int describe(const struct process *process, struct proc_bsdinfo *info)
{
	*info = (struct proc_bsdinfo){
		.pbi_status = status(process), .pbi_pid = (uint32_t)process->pid,
		.pbi_ppid = (uint32_t)process->parent, .pbi_uid = process->uid,
		.pbi_ruid = process->uid, .pbi_svuid = process->uid,
		.pbi_pgid = (uint32_t)process->group, .pbi_start_tvsec = process->start};
	strncpy(info->pbi_comm, process->comm, sizeof info->pbi_comm - 1);
	strncpy(info->pbi_name, process->name, sizeof info->pbi_name - 1);
	return sizeof *info;
}

static int describe_shortly(const struct process *process, struct proc_bsdshortinfo *info)
{
	*info = (struct proc_bsdshortinfo){
		.pbsi_pid = (uint32_t)process->pid, .pbsi_ppid = (uint32_t)process->parent,
		.pbsi_pgid = (uint32_t)process->group,
		.pbsi_status = status(process), .pbsi_uid = process->uid,
		.pbsi_ruid = process->uid, .pbsi_svuid = process->uid};
	strncpy(info->pbsi_comm, process->comm, sizeof info->pbsi_comm - 1);
	return sizeof *info;
}

static int identify(const struct process *process, struct proc_uniqidentifierinfo *info)
{
	*info = (struct proc_uniqidentifierinfo){.p_uniqueid = process->unique};
	return sizeof *info;
}

static int directories(const struct process *process, struct proc_vnodepathinfo *info)
{
	memset(info, 0, sizeof *info);
	strncpy(info->pvi_cdir.vip_path, process->directory, sizeof info->pvi_cdir.vip_path - 1);
	return sizeof *info;
}

/* bsd/kern/proc_info.c:proc_pidinfo: sizes, zombies, and what needs no privilege. */
int proc_pidinfo(int pid, int flavor, uint64_t argument, void *buffer, int size)
{
	static const struct {
		int flavor, size;
		bool is_public, finds_zombies;
	} FLAVORS[] = {
		{PROC_PIDLISTFDS, PROC_PIDLISTFD_SIZE, false, false},
		{PROC_PIDTBSDINFO, PROC_PIDTBSDINFO_SIZE, false, true},
		{PROC_PIDT_SHORTBSDINFO, PROC_PIDT_SHORTBSDINFO_SIZE, true, true},
		{PROC_PIDVNODEPATHINFO, PROC_PIDVNODEPATHINFO_SIZE, false, false},
		{PROC_PIDLISTFILEPORTS, PROC_PIDLISTFILEPORTS_SIZE, false, false},
		{PROC_PIDUNIQIDENTIFIERINFO, sizeof(struct proc_uniqidentifierinfo), true, true},
	};
	size_t known = sizeof FLAVORS / sizeof *FLAVORS, i = 0;
	struct process *process;

	while (i < known && FLAVORS[i].flavor != flavor)
		i++;
	if (i == known)
		return fails_as_libproc(EINVAL);
	if (size < FLAVORS[i].size)
		return fails_as_libproc(ENOMEM);
	process = find_process(pid);
	if (!process && FLAVORS[i].finds_zombies && argument)
		process = find_zombie(pid);
	if (!process)
		return fails_as_libproc(ESRCH);
	if (!FLAVORS[i].is_public && !may_look_into(process))
		return fails_as_libproc(EPERM);
	questions[LISTS_OF_DESCRIPTORS] += flavor == PROC_PIDLISTFDS;
	questions[IDENTITIES] += flavor == PROC_PIDUNIQIDENTIFIERINFO;
	switch (flavor) {
	case PROC_PIDLISTFDS: return list_descriptors(process, buffer, size / (int)PROC_PIDLISTFD_SIZE);
	case PROC_PIDLISTFILEPORTS: return list_fileports(process, buffer, size / (int)PROC_PIDLISTFILEPORTS_SIZE);
	case PROC_PIDTBSDINFO: return describe(process, buffer);
	case PROC_PIDT_SHORTBSDINFO: return describe_shortly(process, buffer);
	case PROC_PIDVNODEPATHINFO: return directories(process, buffer);
	default: return identify(process, buffer);
	}
}

/* libsyscall/wrappers/libproc/libproc.c:proc_pidpath: 4096 bytes at most, and no less. */
int proc_pidpath(int pid, void *buffer, uint32_t size)
{
	struct process *process;

	if (size < PROC_PIDPATHINFO_SIZE)
		return fails_as_libproc(ENOMEM);
	if (size > PROC_PIDPATHINFO_MAXSIZE)
		return fails_as_libproc(EOVERFLOW);
	process = find_process(pid);
	if (!process || !*process->executable)
		return fails_as_libproc(process ? ENOENT : ESRCH);
	strncpy(buffer, process->executable, size - 1);
	return (int)strlen(buffer);
}

/* bsd/kern/kern_sig.c:cansignal_nomac, for processes whose user ids are all one. */
static bool may_signal(const struct process *process, int number)
{
	if (number == SIGKILL && process->pid == 1)
		return false;
	return model.uid == 0 || model.uid == process->uid;
}

/*
 * bsd/kern/kern_sig.c:psignal_internal: a stopped process takes only KILL and CONT
 * at once; others wait until it goes on. 0, and signals that do not end, do nothing.
 */
static void take(struct process *process, int number)
{
	bool ends = number == SIGKILL || (!process->is_stubborn &&
		    (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT));

	if (number == SIGCONT) {
		process->is_stopped = false;
		ends = process->is_asked_to_end;
	} else if (process->is_stopped && number != SIGKILL) {
		process->is_asked_to_end |= ends;
		return;
	}
	if (ends && process->slow)
		process->ends = process->slow;
	else if (ends)
		end(process);
}

/* bsd/kern/kern_sig.c:kill: a zombie takes every signal. */
int kill(pid_t pid, int number)
{
	struct process *process;

	if (number < 0 || number >= NSIG)
		return fails(EINVAL);
	if (pid == model.self || pid < 0)
		return host_kill(pid, number);
	process = find_process(pid);
	if (!process && find_zombie(pid))
		return 0;
	if (!process)
		return host_kill(pid, number);
	if (!may_signal(process, number))
		return fails(EPERM);
	if (number)
		dprintf(2, "model: signal %d to %d\n", number, pid);
	take(process, number);
	return 0;
}

static pid_t watched[64];
static int watched_count;

int kqueue(void)
{
	int ends[2];

	watched_count = 0;
	return host_pipe(ends) ? -1 : ends[0];
}

/* bsd/kern/kern_event.c:filt_procattach: any user's process, but one that runs. */
static int watch(const struct kevent *change)
{
	if (change->filter != EVFILT_PROC || !(change->fflags & NOTE_EXIT))
		return ENOTSUP;
	if (!find_process((pid_t)change->ident))
		return ESRCH;
	watched[watched_count++ % 64] = (pid_t)change->ident;
	return 0;
}

static int ended(struct kevent *events, int room)
{
	int count = 0;

	for (int i = 0; i < watched_count && count < room; i++)
		if (watched[i] && !find_process(watched[i])) {
			events[count++] = (struct kevent){.ident = (uintptr_t)watched[i],
							  .filter = EVFILT_PROC, .flags = EV_CLEAR,
							  .fflags = NOTE_EXIT};
			watched[i] = 0;
		}
	return count;
}

/*
 * bsd/kern/kern_event.c:kevent_internal: a change that fails is an event with
 * EV_ERROR where there is room for one. Waiting is a question every millisecond.
 */
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
	   int room, const struct timespec *time)
{
	int count = 0;
	int64_t left = time ? time->tv_sec * 1000 + (time->tv_nsec + 999999) / 1000000 : INT64_MAX;

	(void)queue;
	for (int i = 0; i < change_count; i++) {
		int error = watch(&changes[i]);

		if (error && count == room)
			return fails(error);
		if (error || (changes[i].flags & EV_RECEIPT)) {
			events[count] = changes[i];
			events[count].flags |= EV_ERROR;
			events[count++].data = error;
		}
	}
	if (count || !room)
		return count;
	for (; !(count = ended(events, room)) && left > 0; left--)
		pass_time(1000000);
	return count;
}
