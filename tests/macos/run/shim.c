/*
 * libSystem for a program of Darwin, by glibc: errors, memory, and the table of
 * functions that need no translation. Others are in the files shim_*.c.
 *
 * Rules were read in Libc 1698.100.8 (macOS 15.4), libpthread 539, Libinfo 600,
 * dyld 1378 and libdispatch 1542.0.4, and are cited as library, file:function.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numbers.h"
#include "shim.h"

/* What strerror_r is by POSIX; glibc declares it only without its own. */
extern int __xpg_strerror_r(int, char *, size_t);

__thread int darwin_errno;

#define PAIR(name, number) {name, number},
static const uint8_t ERRORS_OF_BOTH[][2] = {ERRORS(PAIR)};
enum { ERROR_COUNT = sizeof ERRORS_OF_BOTH / sizeof *ERRORS_OF_BOTH };

int error_to_darwin(int number)
{
	for (int i = 0; i < ERROR_COUNT; i++)
		if (ERRORS_OF_BOTH[i][0] == number)
			return ERRORS_OF_BOTH[i][1];
	return number;
}

int error_to_linux(int number)
{
	for (int i = 0; i < ERROR_COUNT; i++)
		if (ERRORS_OF_BOTH[i][1] == number)
			return ERRORS_OF_BOTH[i][0];
	return number;
}

int64_t result(int64_t value)
{
	if (value == -1)
		darwin_errno = error_to_darwin(errno);
	return value;
}

int fail(int number)
{
	darwin_errno = number;
	return -1;
}

static int *error_address(void)
{
	return &darwin_errno;
}

/* Where Libc words them otherwise than glibc (gen/errlst.c of Libc 1698.100.8, macOS 15.4). */
static const struct {
	int number;
	const char *text;
} TEXTS[] = {
	{6, "Device not configured"}, {16, "Resource busy"}, {18, "Cross-device link"},
	{19, "Operation not supported by device"}, {34, "Result too large"},
	{49, "Can't assign requested address"}, {56, "Socket is already connected"},
	{57, "Socket is not connected"}, {60, "Operation timed out"},
	{69, "Disc quota exceeded"}, {102, "Operation not supported on socket"},
};

/* strerror_r of Libc: ERANGE where the text is cut. */
static int describe_error(int number, char *buffer, size_t size)
{
	for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
		if (TEXTS[i].number == number)
			return (size_t)snprintf(buffer, size, "%s", TEXTS[i].text) < size ? 0 : 34;
	return __xpg_strerror_r(error_to_linux(number), buffer, size);
}

/* Darwin's flag for memory without a file is 0x1000; the lower five bits are Linux's. */
static void *map_memory(void *at, size_t size, int rights, int flags, int fd, int64_t offset)
{
	int linux_flags = (flags & 0x1f) | (flags & 0x1000 ? MAP_ANONYMOUS : 0);

	return (void *)result((int64_t)mmap(at, size, rights, linux_flags, fd, offset));
}

static int random_bytes(void *buffer, size_t size)
{
	return result(getentropy(buffer, size));
}

static void zero(void *memory, size_t size)
{
	memset(memory, 0, size);
}

/* No libraries to list, and no extended attributes. */
static int none(void)
{
	return 0;
}

/* Called by no test: each ends the run with its name if one does call it. */
static const char *const not_called[] = {
	"_chroot", "_setgid", "_setgroups", "_setuid", "__dyld_get_image_header",
	"__dyld_get_image_name", "__dyld_get_image_vmaddr_slide", "dyld_stub_binder",
	"_fgetxattr", "_fsetxattr", "_linkat", "_pause",
};

/* glibc's own, whose -1 sets errno. They take and give the same as Darwin's. */
static const char *const same[] = {
	"access", "alarm", "chdir", "close", "dup", "dup2", "execvp", "fchmod", "flock",
	"getpgrp", "getsid", "isatty", "link", "lseek", "mkdir", "mprotect", "munmap", "nanosleep",
	"pipe", "poll", "read", "readlink", "readv", "rename", "rmdir", "setpgid", "setsid", "tcgetpgrp",
	"tcsetpgrp", "unlink", "unsetenv", "setenv", "write", "writev", "sched_yield", "dirfd",
	"fork", "symlink",
};

/* Those that set no errno, or have none to set. */
static const char *const pure[] = {
	"malloc", "calloc", "realloc", "free", "posix_memalign", "memcpy", "memmove", "memset",
	"memcmp", "strlen", "strnlen", "getenv", "abort", "exit", "_exit", "bcmp", "memchr",
	"strcmp", "strncmp", "strchr", "strrchr", "strdup", "strsep", "strtok_r", "strtol", "atoi",
	"strtoull", "strcspn", "strcpy", "strncpy", "snprintf", "dprintf", "qsort", "strstr", "fileno",
	"pthread_self", "pthread_detach", "pthread_create", "pthread_attr_init",
	"pthread_attr_destroy", "pthread_attr_setstacksize", "pthread_mutexattr_init",
	"pthread_mutexattr_destroy", "_Unwind_Backtrace", "_Unwind_GetIP", "_Unwind_GetIPInfo",
	"_Unwind_Resume", "_Unwind_GetLanguageSpecificData", "_Unwind_GetRegionStart",
	"_Unwind_SetGR", "_Unwind_SetIP", "_Unwind_GetDataRelBase", "_Unwind_GetTextRelBase",
	"fopen", "fclose", "getline", "fread", "fgets", "sscanf",
};

static const struct function own_functions[] = {
	{"__error", error_address}, {"strerror_r", describe_error}, {"mmap", map_memory},
	{"getentropy", random_bytes}, {"CCRandomGenerateBytes", random_bytes}, {"__bzero", zero},
	{"bzero", zero}, {"_dyld_image_count", none}, {"flistxattr", none}, {"atexit", atexit}, {NULL, NULL},
};

/* Code that is written here: pages of it, 64 bytes for each function. */
static uint8_t *next_code(void)
{
	static uint8_t *code, *end;

	if (code == end) {
		code = mmap(NULL, 16384, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (code == MAP_FAILED)
			abort();
		end = code + 16384;
	}
	code += 64;
	return code - 64;
}

static uint8_t *put(uint8_t *at, const char *bytes, int count, const void *value)
{
	memcpy(at, bytes, count);
	memcpy(at + count, &value, value ? 8 : 0);
	return at + count + (value ? 8 : 0);
}

/* Calls a function of glibc (arguments in registers only); after -1, translates errno. */
static void *with_errno(void *function)
{
	uint8_t *code = next_code(), *at = code;

	at = put(at, "\x48\x83\xec\x08\x48\xb8", 6, function);	/* sub $8,%rsp; mov $function,%rax */
	at = put(at, "\xff\xd0\x48\x63\xf8", 5, NULL);		/* call *%rax; movslq %eax,%rdi */
	at = put(at, "\x48\x83\xff\xff\x75\x0c", 6, NULL);	/* cmp $-1,%rdi; jne end */
	at = put(at, "\x48\xb8", 2, result);			/* mov $result,%rax */
	at = put(at, "\xff\xd0", 2, NULL);			/* call *%rax */
	put(at, "\x48\x83\xc4\x08\xc3", 5, NULL);		/* end: add $8,%rsp; ret */
	return code;
}

static _Noreturn void called(const char *name)
{
	dprintf(2, "macho: %s was called, which is on the list of functions that are not\n", name);
	_exit(125);
}

static void *never(const char *name)
{
	uint8_t *code = next_code(), *at = code;

	at = put(at, "\x48\x83\xec\x08\x48\xbf", 6, name); /* sub $8,%rsp; mov $name,%rdi */
	at = put(at, "\x48\xb8", 2, called);		   /* mov $called,%rax */
	put(at, "\xff\xd0", 2, NULL);			   /* call */
	return code;
}

static int has(const char *const *names, size_t size, const char *name)
{
	for (size_t i = 0; i < size / sizeof *names; i++)
		if (!strcmp(names[i], name))
			return 1;
	return 0;
}

void *shim_find(const char *import)
{
	const struct function *const tables[] = {own_functions,	    file_functions,
						 signal_functions,  thread_functions,
						 process_functions, terminal_functions};
	/* Libraries name a function of C with an underscore before it. */
	const char *name = import + (import[0] == '_');

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct function *one = tables[i]; one->name; one++)
			if (!strcmp(one->name, name))
				return one->address;
	if (has(same, sizeof same, name))
		return with_errno(dlsym(RTLD_DEFAULT, name));
	if (has(pure, sizeof pure, name))
		return dlsym(RTLD_DEFAULT, name);
	for (size_t i = 0; i < sizeof not_called / sizeof *not_called; i++)
		if (!strcmp(not_called[i], import))
			return never(not_called[i]);
	return NULL;
}
