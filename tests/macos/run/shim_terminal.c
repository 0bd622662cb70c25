/* The modes of a terminal: what raw mode and echo need. */
#include <stddef.h>
#include <string.h>
#include <termios.h>

#include "darwin.h"
#include "numbers.h"
#include "shim.h"

#define FLAG(name, number) {number, name},
static const unsigned LOCAL[][2] = {LOCAL_FLAGS(FLAG)}, INPUT[][2] = {INPUT_FLAGS(FLAG)},
		      OUTPUT[][2] = {OUTPUT_FLAGS(FLAG)};

#define TO_DARWIN(table, flags) to_darwin(table, sizeof table / sizeof *table, flags)
#define TO_LINUX(table, flags, old) to_linux(table, sizeof table / sizeof *table, flags, old)

static uint64_t to_darwin(const unsigned (*table)[2], size_t count, unsigned flags)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		if (flags & table[i][1])
			bits |= table[i][0];
	return bits;
}

/* Flags that the table lacks stay as they are. */
static unsigned to_linux(const unsigned (*table)[2], size_t count, uint64_t bits, unsigned flags)
{
	for (size_t i = 0; i < count; i++)
		flags = bits & table[i][0] ? flags | table[i][1] : flags & ~table[i][1];
	return flags;
}

static int get(int fd, struct darwin_termios *to)
{
	struct termios from;

	if (tcgetattr(fd, &from))
		return result(-1);
	memset(to, 0, sizeof *to);
	to->iflag = TO_DARWIN(INPUT, from.c_iflag);
	to->oflag = TO_DARWIN(OUTPUT, from.c_oflag);
	to->lflag = TO_DARWIN(LOCAL, from.c_lflag);
	to->cc[16] = from.c_cc[VMIN];
	to->cc[17] = from.c_cc[VTIME];
	return 0;
}

static int set(int fd, int when, const struct darwin_termios *from)
{
	struct termios to;

	if (tcgetattr(fd, &to))
		return result(-1);
	to.c_iflag = TO_LINUX(INPUT, from->iflag, to.c_iflag);
	to.c_oflag = TO_LINUX(OUTPUT, from->oflag, to.c_oflag);
	to.c_lflag = TO_LINUX(LOCAL, from->lflag, to.c_lflag);
	to.c_cc[VMIN] = from->cc[16];
	to.c_cc[VTIME] = from->cc[17];
	return result(tcsetattr(fd, when & 3, &to));
}

const struct function terminal_functions[] = {
	{"tcgetattr", get}, {"tcsetattr", set}, {NULL, NULL},
};
