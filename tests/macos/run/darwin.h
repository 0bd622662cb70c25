/*
 * Darwin's structures that the shim translates from glibc's: their headers
 * cannot be included together. Field names are Apple's, without their prefix.
 * layout.c compares every one with Apple's headers.
 */
#pragma once
#include <stdint.h>

struct darwin_timespec {
	int64_t sec, nsec;
};

struct darwin_stat {
	int32_t dev;
	uint16_t mode, nlink;
	uint64_t ino;
	uint32_t uid, gid;
	int32_t rdev;
	struct darwin_timespec atimespec, mtimespec, ctimespec, birthtimespec;
	int64_t size, blocks;
	int32_t blksize;
	uint32_t flags, gen;
	int32_t lspare;
	int64_t qspare[2];
};

struct darwin_dirent {
	uint64_t ino, seekoff;
	uint16_t reclen, namlen;
	uint8_t type;
	char name[1024];
};

struct darwin_sigaction {
	uint64_t handler;
	uint32_t mask;
	int32_t flags;
};

struct darwin_siginfo {
	int32_t signo, error, code, pid;
	uint32_t uid;
	int32_t status;
	void *address;
	uint64_t value, band, pad[7];
};

struct darwin_stack {
	void *sp;
	uint64_t size;
	int32_t flags;
};

struct darwin_termios {
	uint64_t iflag, oflag, cflag, lflag;
	uint8_t cc[20];
	uint64_t ispeed, ospeed;
};
