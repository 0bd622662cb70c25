/* Files, directories and descriptors: flags and structures that differ. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "darwin.h"
#include "numbers.h"
#include "shim.h"

/* Flags of open(2): Darwin's, Linux's. */
#define FLAG(name, number) {number, name},
static const int FLAGS[][2] = {OPEN_FLAGS(FLAG)};

static int flags_of(int flags, int from, int to)
{
	int translated = flags & 3;

	for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
		if (flags & FLAGS[i][from])
			translated |= FLAGS[i][to];
	return translated;
}

static int open_file(const char *path, int flags, ...)
{
	va_list rest;
	int mode;

	va_start(rest, flags);
	mode = va_arg(rest, int);
	va_end(rest);
	return result(open(path, flags_of(flags, 0, 1), mode & 07777));
}

/* Commands 0 to 2 are equal; 51 is F_FULLFSYNC, 67 F_DUPFD_CLOEXEC. */
static int control(int fd, int command, ...)
{
	va_list rest;
	long value;

	va_start(rest, command);
	value = va_arg(rest, long);
	va_end(rest);
	switch (command) {
	case 0: case 1: case 2: return result(fcntl(fd, command, value));
	case 3: {
		int flags = result(fcntl(fd, F_GETFL));
		return flags < 0 ? flags : flags_of(flags, 1, 0);
	}
	case 4: return result(fcntl(fd, F_SETFL, flags_of(value, 0, 1)));
	case 51: return result(fsync(fd));
	case 67: return result(fcntl(fd, F_DUPFD_CLOEXEC, value));
	default: dprintf(2, "macho: fcntl %d is not translated\n", command); _exit(125);
	}
}

/* Requests by Darwin's sys/ttycom.h and sys/filio.h. */
static int device_control(int fd, unsigned long request, ...)
{
	va_list rest;
	void *value;

	va_start(rest, request);
	value = va_arg(rest, void *);
	va_end(rest);
	switch (request) {
	case 0x40087468: return result(ioctl(fd, TIOCGWINSZ, value));
	case 0x20006601: return result(fcntl(fd, F_SETFD, FD_CLOEXEC));
	case 0x8004667e: return result(ioctl(fd, FIONBIO, value));
	default: dprintf(2, "macho: ioctl %lx is not translated\n", request); _exit(125);
	}
}

/* The files of the user that runs the test are those of the model's user, and of its group. */
static uint32_t model_user, model_group;

void shim_own_files(uint32_t user, uint32_t group)
{
	model_user = user;
	model_group = group;
}

static int change_owner(int fd, uint32_t user, uint32_t group)
{
	return result(fchown(fd, user == model_user ? geteuid() : user,
			     group == model_group ? getegid() : group));
}

static struct darwin_timespec time_of(struct timespec time)
{
	return (struct darwin_timespec){time.tv_sec, time.tv_nsec};
}

static int status_of(int outcome, const struct stat *from, struct darwin_stat *to)
{
	if (outcome)
		return result(-1);
	*to = (struct darwin_stat){
		.dev = from->st_dev, .mode = from->st_mode, .nlink = from->st_nlink,
		.ino = from->st_ino, .uid = from->st_uid == geteuid() ? model_user : from->st_uid,
		.gid = from->st_gid == getegid() ? model_group : from->st_gid,
		.rdev = from->st_rdev, .atimespec = time_of(from->st_atim),
		.mtimespec = time_of(from->st_mtim), .ctimespec = time_of(from->st_ctim),
		.birthtimespec = time_of(from->st_ctim), .size = from->st_size,
		.blocks = from->st_blocks, .blksize = from->st_blksize,
	};
	return 0;
}

static int status_of_path(const char *path, struct darwin_stat *to)
{
	struct stat from;

	return status_of(stat(path, &from), &from, to);
}

static int status_of_link(const char *path, struct darwin_stat *to)
{
	struct stat from;

	return status_of(lstat(path, &from), &from, to);
}

static int status_of_descriptor(int fd, struct darwin_stat *to)
{
	struct stat from;

	return status_of(fstat(fd, &from), &from, to);
}

/* AT_FDCWD is -2 there, and AT_SYMLINK_NOFOLLOW 0x20 (sys/fcntl.h). */
static int status_at(int fd, const char *path, struct darwin_stat *to, int flags)
{
	struct stat from;
	int linux_flags = flags & 0x20 ? AT_SYMLINK_NOFOLLOW : 0;

	return status_of(fstatat(fd == -2 ? AT_FDCWD : fd, path, &from, linux_flags), &from, to);
}

static char *resolved(const char *path, char *buffer)
{
	char *found = realpath(path, buffer);

	if (!found)
		result(-1);
	return found;
}

static void *open_directory(const char *path)
{
	DIR *directory = opendir(path);

	if (!directory)
		result(-1);
	return directory;
}

static int close_directory(DIR *directory)
{
	return result(closedir(directory));
}

/* Libc, gen/FreeBSD/readdir.c:readdir_r: NULL and 0 at the end, the error as the result. */
static int read_directory(DIR *directory, struct darwin_dirent *to, struct darwin_dirent **found)
{
	struct dirent *from;

	errno = 0;
	from = readdir(directory);
	*found = NULL;
	if (!from)
		return error_to_darwin(errno);
	*to = (struct darwin_dirent){.ino = from->d_ino, .seekoff = from->d_off,
				     .namlen = strlen(from->d_name), .type = from->d_type};
	memcpy(to->name, from->d_name, to->namlen + 1);
	to->reclen = (offsetof(struct darwin_dirent, name) + to->namlen + 8) & ~7;
	*found = to;
	return 0;
}

static char *working_directory(char *buffer, size_t size)
{
	char *path = getcwd(buffer, size);

	if (!path)
		result(-1);
	return path;
}

/* Sockets of the host, for the unix sockets of programs: only the family's place differs. */
static int host_socket(int family, int kind, int protocol)
{
	return result(socket(family, kind, protocol));
}

static int host_connect(int fd, const uint8_t *address, uint32_t size)
{
	uint8_t translated[128] = {0};
	uint16_t family = address[1];

	memcpy(translated, address, size < sizeof translated ? size : sizeof translated);
	memcpy(translated, &family, sizeof family);
	return result(connect(fd, (void *)translated, size));
}

/* AF_INET6 is 30 there; all other families in use have one number. */
static int text_to_address(int family, const char *text, void *address)
{
	return inet_pton(family == 30 ? AF_INET6 : family, text, address);
}

static const char *address_to_text(int family, const void *address, char *text, uint32_t size)
{
	return inet_ntop(family == 30 ? AF_INET6 : family, address, text, size);
}

static int pair(int family, int kind, int protocol, int *ends)
{
	return result(socketpair(family, kind, protocol, ends));
}

static int64_t host_send(int fd, const void *bytes, size_t size)
{
	return result(send(fd, bytes, size, MSG_NOSIGNAL));
}

static int64_t host_receive(int fd, void *bytes, size_t size)
{
	return result(recv(fd, bytes, size, 0));
}

const struct function file_functions[] = {
	{"open", open_file}, {"fcntl", control}, {"ioctl", device_control},
	{"stat", status_of_path}, {"lstat", status_of_link}, {"fstat", status_of_descriptor},
	{"fchown", change_owner}, {"fstatat", status_at}, {"realpath", resolved},
	{"opendir", open_directory}, {"closedir", close_directory},
	{"readdir_r", read_directory}, {"getcwd", working_directory}, {"socket", host_socket}, {"connect", host_connect},
	{"socketpair", pair}, {"inet_pton", text_to_address},
	{"inet_ntop", address_to_text}, {"send", host_send}, {"recv", host_receive}, {NULL, NULL},
};
