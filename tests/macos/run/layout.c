/*
 * Compares darwin.h and macho.h with Apple's headers, and the sizes of objects
 * that the shim keeps glibc's in. Compiled by `check` and never run: a number
 * that is wrong does not compile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mach-o/loader.h>
#include <mach-o/nlist.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/filio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "darwin.h"
#include "macho.h"
#include "numbers.h"

#define IS(expression, number) _Static_assert((expression) == (number), #expression)
#define SAME(ours, apples) IS(sizeof(ours), sizeof(apples))
#define FIELD(ours, field, apples, name) IS(offsetof(ours, field), offsetof(apples, name))

SAME(struct darwin_stat, struct stat);
FIELD(struct darwin_stat, ino, struct stat, st_ino);
FIELD(struct darwin_stat, rdev, struct stat, st_rdev);
FIELD(struct darwin_stat, mtimespec, struct stat, st_mtimespec);
FIELD(struct darwin_stat, size, struct stat, st_size);
FIELD(struct darwin_stat, blksize, struct stat, st_blksize);
SAME(struct darwin_dirent, struct dirent);
FIELD(struct darwin_dirent, reclen, struct dirent, d_reclen);
FIELD(struct darwin_dirent, name, struct dirent, d_name);
SAME(struct darwin_sigaction, struct sigaction);
FIELD(struct darwin_sigaction, mask, struct sigaction, sa_mask);
FIELD(struct darwin_sigaction, flags, struct sigaction, sa_flags);
SAME(struct darwin_siginfo, siginfo_t);
FIELD(struct darwin_siginfo, pid, siginfo_t, si_pid);
FIELD(struct darwin_siginfo, address, siginfo_t, si_addr);
SAME(struct darwin_stack, stack_t);
FIELD(struct darwin_stack, size, stack_t, ss_size);
SAME(struct darwin_termios, struct termios);
FIELD(struct darwin_termios, cc, struct termios, c_cc);
IS(VMIN, 16);
IS(VTIME, 17);

#define NUMBER(name, number) IS(name, number);
ERRORS(NUMBER)
SIGNALS(NUMBER)
ACTION_FLAGS(NUMBER)
OPEN_FLAGS(NUMBER)
LOCAL_FLAGS(NUMBER)
INPUT_FLAGS(NUMBER)
OUTPUT_FLAGS(NUMBER)

/* Numbers that the shim has in its code. */
IS(MAP_ANON, 0x1000);
IS(AT_FDCWD, -2);
IS(AT_SYMLINK_NOFOLLOW, 0x20);
IS(AF_INET6, 30);
IS(F_GETFL, 3);
IS(F_SETFL, 4);
IS(F_FULLFSYNC, 51);
IS(F_DUPFD_CLOEXEC, 67);
IS(TIOCGWINSZ, 0x40087468);
IS(FIOCLEX, 0x20006601);
IS(FIONBIO, 0x8004667e);
IS(_SC_PAGESIZE, 29);
IS(_SC_NPROCESSORS_CONF, 57);
IS(_SC_NPROCESSORS_ONLN, 58);
IS(_SC_GETGR_R_SIZE_MAX, 70);
IS(_SC_GETPW_R_SIZE_MAX, 71);
IS(CLOCK_REALTIME, 0);
IS(SIG_BLOCK, 1);
IS(SIG_SETMASK, 3);
IS(SS_DISABLE, 4);
IS(WNOHANG, 1);
IS(WUNTRACED, 2);
IS(_WSTOPPED, 0x7f);
IS(POSIX_SPAWN_RESETIDS | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK, 0xf);
IS(TCSADRAIN, 1);
IS(TCSAFLUSH, 2);

SAME(struct macho_header, struct mach_header_64);
SAME(struct macho_segment, struct segment_command_64);
FIELD(struct macho_segment, initprot, struct segment_command_64, initprot);
SAME(struct macho_section, struct section_64);
FIELD(struct macho_section, flags, struct section_64, flags);
SAME(struct macho_dyld_info, struct dyld_info_command);
FIELD(struct macho_dyld_info, lazy_bind_off, struct dyld_info_command, lazy_bind_off);
SAME(struct macho_symtab, struct symtab_command);
SAME(struct macho_symbol, struct nlist_64);
FIELD(struct macho_symbol, n_value, struct nlist_64, n_value);
SAME(struct macho_main, struct entry_point_command);
IS(MACHO_MAGIC, MH_MAGIC_64);
IS(MACHO_X86_64, CPU_TYPE_X86_64);
IS(MACHO_SYMTAB, LC_SYMTAB);
IS(MACHO_SEGMENT, LC_SEGMENT_64);
IS(MACHO_DYLD_INFO | MACHO_REQUIRED, (int)LC_DYLD_INFO_ONLY);
IS(MACHO_MAIN | MACHO_REQUIRED, (int)LC_MAIN);
IS(MACHO_CHAINED_FIXUPS | MACHO_REQUIRED, (int)LC_DYLD_CHAINED_FIXUPS);
IS(MACHO_INITIALIZERS, S_MOD_INIT_FUNC_POINTERS);
IS(MACHO_THREAD_DATA, S_THREAD_LOCAL_REGULAR);
IS(MACHO_THREAD_ZEROES, S_THREAD_LOCAL_ZEROFILL);
IS(MACHO_EXTERNAL, N_EXT);
IS(MACHO_DEFINED, N_SECT);

/* What glibc needs: 40 bytes for a mutex, 56 for attributes of a thread, 4 for a mutex's. */
_Static_assert(sizeof(pthread_mutex_t) >= 40, "a mutex");
_Static_assert(sizeof(pthread_attr_t) >= 56, "attributes of a thread");
_Static_assert(sizeof(pthread_mutexattr_t) >= 4, "attributes of a mutex");
