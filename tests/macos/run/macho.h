/*
 * The parts of a Mach-O file that the loader reads, with the field names of
 * Apple's <mach-o/loader.h> and <mach-o/nlist.h>. Those headers cannot be
 * included beside glibc's; layout.c compares this file with them.
 */
#pragma once
#include <stdint.h>

enum {
	MACHO_MAGIC = 0xfeedfacf,
	MACHO_X86_64 = 0x01000007,
	MACHO_SYMTAB = 0x2,
	MACHO_SEGMENT = 0x19,
	MACHO_DYLD_INFO = 0x22,
	MACHO_MAIN = 0x28,
	MACHO_CHAINED_FIXUPS = 0x34,
	/* A bit of a command that says that old loaders must not ignore it. */
	MACHO_REQUIRED = (int)0x80000000,
	/* Types of a section: the low byte of its flags. */
	MACHO_INITIALIZERS = 0x9,
	MACHO_THREAD_DATA = 0x11,
	MACHO_THREAD_ZEROES = 0x12,
	/* A symbol that others see, defined in a section. */
	MACHO_EXTERNAL = 0x01,
	MACHO_DEFINED = 0x0e,
};

struct macho_header {
	uint32_t magic, cputype, cpusubtype, filetype, ncmds, sizeofcmds, flags, reserved;
};

struct macho_command {
	uint32_t cmd, cmdsize;
};

struct macho_segment {
	uint32_t cmd, cmdsize;
	char segname[16];
	uint64_t vmaddr, vmsize, fileoff, filesize;
	int32_t maxprot, initprot;
	uint32_t nsects, flags;
};

struct macho_section {
	char sectname[16], segname[16];
	uint64_t addr, size;
	uint32_t offset, align, reloff, nreloc, flags, reserved1, reserved2, reserved3;
};

struct macho_dyld_info {
	uint32_t cmd, cmdsize;
	uint32_t rebase_off, rebase_size, bind_off, bind_size, weak_bind_off, weak_bind_size;
	uint32_t lazy_bind_off, lazy_bind_size, export_off, export_size;
};

struct macho_symtab {
	uint32_t cmd, cmdsize, symoff, nsyms, stroff, strsize;
};

struct macho_symbol {
	uint32_t n_strx;
	uint8_t n_type, n_sect;
	uint16_t n_desc;
	uint64_t n_value;
};

struct macho_main {
	uint32_t cmd, cmdsize;
	uint64_t entryoff, stacksize;
};
