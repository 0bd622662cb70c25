/*
 * Threads and their variables. Darwin's objects are at least as large as
 * glibc's (layout.c compares the sizes), so glibc's are kept inside them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim.h"

static uint64_t variables_start = UINT64_MAX, variables_end;
/* This thread's copy of the variables; NULL until it first uses one. */
__thread uint8_t *thread_block;

void thread_variables(uint64_t at, uint64_t size)
{
	variables_start = at < variables_start ? at : variables_start;
	variables_end = at + size > variables_end ? at + size : variables_end;
}

uint8_t *make_thread_block(void)
{
	size_t size = variables_end - variables_start;

	if (posix_memalign((void **)&thread_block, 64, size + 64))
		abort();
	return memcpy(thread_block, (void *)variables_start, size);
}

/*
 * What a descriptor of a thread-local variable calls with its address in %rdi:
 * gives the address of the variable and keeps every other register
 * (threadLocalHelpers.s of dyld). The offset is the descriptor's third word.
 */
void variable_address(void);
__asm__(".globl variable_address\n"
	"variable_address:\n"
	"	mov thread_block@gottpoff(%rip),%rax\n"
	"	mov %fs:(%rax),%rax\n"
	"	test %rax,%rax\n"
	"	jz 1f\n"
	"	add 16(%rdi),%rax\n"
	"	ret\n"
	"1:	push %rbp\n"
	"	mov %rsp,%rbp\n"
	"	push %rdi\n	push %rsi\n	push %rdx\n	push %rcx\n"
	"	push %r8\n	push %r9\n	push %r10\n	push %r11\n"
	"	sub $512,%rsp\n"
	"	and $-16,%rsp\n"
	"	fxsave (%rsp)\n"
	"	call make_thread_block\n"
	"	fxrstor (%rsp)\n"
	"	lea -64(%rbp),%rsp\n"
	"	pop %r11\n	pop %r10\n	pop %r9\n	pop %r8\n"
	"	pop %rcx\n	pop %rdx\n	pop %rsi\n	pop %rdi\n"
	"	pop %rbp\n"
	"	jmp variable_address\n");

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;

static void at_thread_exit(void (*function)(void *), void *object)
{
	__cxa_thread_atexit_impl(function, object, &__dso_handle);
}

/*
 * Darwin's mutexes that nobody has initialised start with a word that differs in its
 * last digit only (src/types_internal.h of libpthread 539, _PTHREAD_MUTEX_SIG_init_MASK).
 */
static pthread_mutex_t *mutex(uint32_t *words)
{
	if ((*words & 0xfffffff0) == 0x32AAABA0)
		memset(words, 0, 64);
	return (void *)words;
}

static int mutex_init(void *words, const void *attributes)
{
	return error_to_darwin(pthread_mutex_init(words, attributes));
}

static int mutex_lock(uint32_t *words)
{
	return error_to_darwin(pthread_mutex_lock(mutex(words)));
}

static int mutex_try(uint32_t *words)
{
	return error_to_darwin(pthread_mutex_trylock(mutex(words)));
}

static int mutex_unlock(uint32_t *words)
{
	return error_to_darwin(pthread_mutex_unlock(mutex(words)));
}

static int mutex_destroy(uint32_t *words)
{
	return error_to_darwin(pthread_mutex_destroy(mutex(words)));
}

static int mutex_type(void *attributes, int type)
{
	static const int TYPES[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK,
				    PTHREAD_MUTEX_RECURSIVE};

	return pthread_mutexattr_settype(attributes, TYPES[type < 3 ? type : 0]);
}

static int set_name(const char *name)
{
	char cut[16];

	snprintf(cut, sizeof cut, "%s", name);
	return pthread_setname_np(pthread_self(), cut);
}

static int thread_id(pthread_t thread, uint64_t *id)
{
	(void)thread;
	*id = gettid();
	return 0;
}

static void stack_of(pthread_t thread, void **low, size_t *size)
{
	pthread_attr_t attributes;

	pthread_getattr_np(thread, &attributes);
	pthread_attr_getstack(&attributes, low, size);
	pthread_attr_destroy(&attributes);
}

/* Darwin's stack address is its upper end. */
static void *stack_address(pthread_t thread)
{
	void *low;
	size_t size;

	stack_of(thread, &low, &size);
	return (uint8_t *)low + size;
}

static size_t stack_size(pthread_t thread)
{
	void *low;
	size_t size;

	stack_of(thread, &low, &size);
	return size;
}

static void *semaphore_create(int64_t value)
{
	sem_t *semaphore = malloc(sizeof *semaphore);

	sem_init(semaphore, 0, value);
	return semaphore;
}

static int64_t semaphore_signal(void *semaphore)
{
	return sem_post(semaphore);
}

/* Waits for so many nanoseconds at most (the model has libdispatch's clock); 0 if signalled. */
static int64_t semaphore_wait(void *semaphore, int64_t wait)
{
	struct timespec end;
	int outcome;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += wait / 1000000000;
	end.tv_nsec += wait % 1000000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	do
		outcome = wait < 0 ? sem_wait(semaphore) : sem_timedwait(semaphore, &end);
	while (outcome && errno == EINTR);
	return outcome;
}

const struct function thread_functions[] = {
	{"_tlv_bootstrap", variable_address}, {"_tlv_atexit", at_thread_exit},
	{"pthread_mutex_init", mutex_init}, {"pthread_mutex_lock", mutex_lock},
	{"pthread_mutex_trylock", mutex_try}, {"pthread_mutex_unlock", mutex_unlock},
	{"pthread_mutex_destroy", mutex_destroy}, {"pthread_mutexattr_settype", mutex_type},
	{"pthread_setname_np", set_name}, {"pthread_threadid_np", thread_id},
	{"pthread_get_stackaddr_np", stack_address}, {"pthread_get_stacksize_np", stack_size},
	{"dispatch_semaphore_create", semaphore_create},
	{"dispatch_semaphore_signal", semaphore_signal},
	{"semaphore_wait", semaphore_wait}, {"dispatch_release", free}, {NULL, NULL},
};
