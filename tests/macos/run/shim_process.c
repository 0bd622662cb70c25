/* Starting programs, clocks, and what a program knows of itself. */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim.h"

static int argument_count;
static char **arguments;

void shim_prepare(int count, char **words)
{
	argument_count = count;
	arguments = words;
}

static int *count_address(void)
{
	return &argument_count;
}

static char ***arguments_address(void)
{
	return &arguments;
}

static char ***environment_address(void)
{
	return &environ;
}

/*
 * The loader's own path: it is what a new program by this name would start. -1 and the size
 * that is needed if it does not fit (dyld, dyld/DyldAPIs.cpp:_NSGetExecutablePath).
 */
static int executable_path(char *buffer, uint32_t *size)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

	if (length < 0 || (uint32_t)length >= *size) {
		*size = length < 0 ? sizeof path : (uint32_t)length + 1;
		return -1;
	}
	path[length] = 0;
	memcpy(buffer, path, (size_t)length + 1);
	return 0;
}

/* CLOCK_MONOTONIC is 6 there, and 4 and 8 are variants of it (time.h). */
static int clock_time(int clock, struct timespec *time)
{
	return result(clock_gettime(clock == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, time));
}

/* Libc, gen/FreeBSD/sysconf.c; numbers by Darwin's unistd.h. */
static long system_value(int name)
{
	switch (name) {
	case 29: return 4096;	      /* _SC_PAGESIZE of an Intel Mac */
	case 57: case 58: return 4;   /* processors */
	case 70: case 71: return 4096; /* buffers for getgrgid_r and getpwuid_r */
	default: dprintf(2, "macho: sysconf %d is not translated\n", name); _exit(125);
	}
}

/* Attributes and actions are pointers there, structures here. */
static int actions_init(posix_spawn_file_actions_t **actions)
{
	*actions = malloc(sizeof **actions);
	return posix_spawn_file_actions_init(*actions);
}

static int actions_dup2(posix_spawn_file_actions_t **actions, int from, int to)
{
	return posix_spawn_file_actions_adddup2(*actions, from, to);
}

static int actions_destroy(posix_spawn_file_actions_t **actions)
{
	return posix_spawn_file_actions_destroy(*actions);
}

static int attributes_init(posix_spawnattr_t **attributes)
{
	*attributes = malloc(sizeof **attributes);
	return posix_spawnattr_init(*attributes);
}

static int attributes_destroy(posix_spawnattr_t **attributes)
{
	return posix_spawnattr_destroy(*attributes);
}

/* The first four flags are equal: ids, group, default signals, mask. */
static int attributes_flags(posix_spawnattr_t **attributes, short flags)
{
	return posix_spawnattr_setflags(*attributes, flags & 0xf);
}

static int attributes_group(posix_spawnattr_t **attributes, int group)
{
	return posix_spawnattr_setpgroup(*attributes, group);
}

/* Programs start with every signal's default: what a caller may ask for here is that. */
static int attributes_signals(posix_spawnattr_t **attributes, const uint32_t *set)
{
	sigset_t all;

	(void)set;
	sigemptyset(&all);
	sigaddset(&all, SIGPIPE);
	return posix_spawnattr_setsigdefault(*attributes, &all);
}

static int spawn(int *pid, const char *file, posix_spawn_file_actions_t **actions,
		 posix_spawnattr_t **attributes, char **words, char **environment)
{
	return error_to_darwin(posix_spawnp(pid, file, actions ? *actions : NULL,
					    attributes ? *attributes : NULL, words, environment));
}

const struct function process_functions[] = {
	{"_NSGetArgc", count_address}, {"_NSGetArgv", arguments_address},
	{"_NSGetEnviron", environment_address}, {"_NSGetExecutablePath", executable_path}, {"clock_gettime", clock_time},
	{"sysconf", system_value}, {"posix_spawn_file_actions_init", actions_init},
	{"posix_spawn_file_actions_adddup2", actions_dup2},
	{"posix_spawn_file_actions_destroy", actions_destroy},
	{"posix_spawnattr_init", attributes_init}, {"posix_spawnattr_destroy", attributes_destroy},
	{"posix_spawnattr_setflags", attributes_flags},
	{"posix_spawnattr_setpgroup", attributes_group},
	{"posix_spawnattr_setsigdefault", attributes_signals}, {"posix_spawnp", spawn},
	{NULL, NULL},
};
