/* Signals: their numbers, sets of them, and the structures of their handlers. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "darwin.h"
#include "numbers.h"
#include "shim.h"

/* Linux's number of each of Darwin's. */
#define AT(name, number) [number] = name,
static const uint8_t NUMBERS[32] = {SIGNALS(AT)};

static struct darwin_sigaction actions[32];

static int to_linux(int number)
{
	return number > 0 && number < 32 ? NUMBERS[number] : number;
}

static int to_darwin(int number)
{
	for (int i = 1; i < 32; i++)
		if (NUMBERS[i] == number)
			return i;
	return number;
}

static uint32_t set_to_darwin(const sigset_t *set)
{
	uint32_t bits = 0;

	for (int i = 1; i < 32; i++)
		if (NUMBERS[i] && sigismember(set, NUMBERS[i]) == 1)
			bits |= 1u << (i - 1);
	return bits;
}

static void set_to_linux(uint32_t bits, sigset_t *set)
{
	sigemptyset(set);
	for (int i = 1; i < 32; i++)
		if (NUMBERS[i] && bits & 1u << (i - 1))
			sigaddset(set, NUMBERS[i]);
}

static void on_signal(int number, siginfo_t *from, void *context)
{
	struct darwin_siginfo info = {.signo = to_darwin(number), .code = from->si_code};

	/* What the sender and the address are in depends on the signal. */
	if (number == SIGSEGV || number == SIGBUS)
		info.address = from->si_addr;
	else
		info.pid = from->si_pid, info.uid = from->si_uid;
	((void (*)(int, void *, void *))actions[info.signo].handler)(info.signo, &info, context);
}

static int flags_to_linux(int flags)
{
#define FLAG(name, number) (flags & (number) ? name : 0) |
	return ACTION_FLAGS(FLAG) 0;
}

static int action(int number, const struct darwin_sigaction *new, struct darwin_sigaction *old)
{
	struct sigaction present, wanted = {0};
	struct darwin_sigaction before;

	if (number < 1 || number > 31)
		return fail(22);
	before = actions[number];
	if (to_linux(number)) {
		if (sigaction(to_linux(number), NULL, &present))
			return result(-1);
		if (present.sa_handler == SIG_DFL || present.sa_handler == SIG_IGN)
			before.handler = (uint64_t)present.sa_handler;
	}
	if (new) {
		actions[number] = *new;
		set_to_linux(new->mask, &wanted.sa_mask);
		wanted.sa_flags = flags_to_linux(new->flags);
		if (new->handler > 1) {
			wanted.sa_flags |= SA_SIGINFO;
			wanted.sa_sigaction = on_signal;
		} else {
			wanted.sa_handler = (void (*)(int))new->handler;
		}
		if (to_linux(number) && sigaction(to_linux(number), &wanted, NULL))
			return result(-1);
	}
	if (old)
		*old = before;
	return 0;
}

static uint64_t handler(int number, uint64_t function)
{
	struct darwin_sigaction new = {function, 0, 2}, old = {0};

	return action(number, &new, &old) ? (uint64_t)-1 : old.handler;
}

/* Darwin counts SIG_BLOCK and its like from 1. */
static int mask(int how, const uint32_t *new, uint32_t *old)
{
	sigset_t wanted, before;
	int error;

	if (new)
		set_to_linux(*new, &wanted);
	error = pthread_sigmask(how - 1, new ? &wanted : NULL, &before);
	if (old)
		*old = set_to_darwin(&before);
	return error_to_darwin(error);
}

static int process_mask(int how, const uint32_t *new, uint32_t *old)
{
	int error = mask(how, new, old);

	return error ? fail(error) : 0;
}

static int empty_set(uint32_t *set)
{
	*set = 0;
	return 0;
}

static int add(uint32_t *set, int number)
{
	*set |= 1u << (number - 1);
	return 0;
}

/* SS_DISABLE is 4 there and 2 here. */
static int alternate_stack(const struct darwin_stack *new, struct darwin_stack *old)
{
	stack_t wanted, before;
	int outcome;

	if (new)
		wanted = (stack_t){.ss_sp = new->sp, .ss_size = new->size,
				   .ss_flags = new->flags & 4 ? SS_DISABLE : 0};
	outcome = result(sigaltstack(new ? &wanted : NULL, &before));
	if (old && !outcome)
		*old = (struct darwin_stack){before.ss_sp, before.ss_size,
					     before.ss_flags & SS_DISABLE ? 4 : before.ss_flags & 1};
	return outcome;
}

static int raise_signal(int number)
{
	return result(raise(to_linux(number)));
}

/* Only children of this process are reached: all others are the model's. */
static int kill_child(int pid, int number)
{
	siginfo_t info;
	int target = pid < 0 ? -pid : pid;

	if (target != getpid() && waitid(P_PID, target, &info, WEXITED | WNOHANG | WNOWAIT))
		return fail(3);
	return result(kill(pid, to_linux(number)));
}

/* Groups that mx has made; the model's processes are in none. */
static int kill_group(int group, int number)
{
	return group > 1 ? result(killpg(group, to_linux(number))) : fail(3);
}

static int wait_for(int pid, int *status, int flags)
{
	int found = waitpid(pid, status, flags & 3);

	if (found > 0 && status && WIFSIGNALED(*status))
		*status = (*status & 0x80) | to_darwin(WTERMSIG(*status));
	else if (found > 0 && status && WIFSTOPPED(*status))
		*status = to_darwin(WSTOPSIG(*status)) << 8 | 0x7f;
	return result(found);
}

const struct function signal_functions[] = {
	{"sigaction", action}, {"signal", handler}, {"sigprocmask", process_mask},
	{"pthread_sigmask", mask}, {"sigemptyset", empty_set}, {"sigaddset", add},
	{"sigaltstack", alternate_stack}, {"raise", raise_signal}, {"kill", kill_child},
	{"killpg", kill_group},
	{"waitpid", wait_for}, {NULL, NULL},
};
