/* What the parts of the shim share. */
#pragma once
#include <stdint.h>

/* The function for an import (with its leading underscore); NULL if there is none. */
void *shim_find(const char *name);
void shim_prepare(int count, char **words);
/* The user and the group that the model runs the program as. */
void shim_own_files(uint32_t user, uint32_t group);
/* A section of thread-local variables: each thread gets a copy of all of them. */
void thread_variables(uint64_t at, uint64_t size);

/* errno as Darwin numbers it, and the numbers of both systems. */
extern __thread int darwin_errno;
int error_to_darwin(int number);
int error_to_linux(int number);
/* The result of a call of glibc: -1 also sets Darwin's errno. */
int64_t result(int64_t value);
/* Sets Darwin's errno; returns -1. */
int fail(int number);

struct function {
	const char *name;
	void *address;
};
/* Ends with a name that is NULL; each file of the shim has one. */
extern const struct function file_functions[], signal_functions[], thread_functions[],
	process_functions[], terminal_functions[];
