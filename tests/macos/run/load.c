/*
 * Runs the macOS program mx (x86_64) on Linux: maps the Mach-O file and the
 * model of the kernel (model/, a Mach-O library), connects what each imports,
 * prepares thread-local variables, runs initialisers, and calls main.
 *
 *   MX_MODEL_PROGRAM  the program         MX_MODEL_KERNEL  the model
 *   MX_MODEL_SCENARIO what the model plays (read by the model)
 *
 * An import is looked for in the model, then in the shim (shim.c). One that is
 * in neither and not on the list `not_called` ends the run with its name.
 * There is no sandbox here: what the shim passes on happens.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "macho.h"
#include "shim.h"

struct image {
	const char *path;
	uint8_t *file;
	/* Added to the addresses in the file: where it is, less where it was linked for. */
	uint64_t slide;
	struct macho_segment *segments[8];
	int count;
	struct macho_dyld_info *info;
	struct macho_symtab *symbols;
	struct macho_main *main;
};

static struct image model, program;
static int unresolved;

static _Noreturn void give_up(const struct image *image, const char *why)
{
	dprintf(2, "macho: %s: %s\n", image->path, why);
	exit(125);
}

static void map_segment(struct image *image, struct macho_segment *segment)
{
	void *address = (void *)(segment->vmaddr + image->slide);

	image->segments[image->count++] = segment;
	/* Page zero has no rights and exists to catch null pointers. */
	if (!segment->initprot || !segment->vmsize)
		return;
	if (mmap(address, segment->vmsize, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != address)
		give_up(image, "its address is taken");
	memcpy(address, image->file + segment->fileoff, segment->filesize);
}

static void map(struct image *image, const char *path, uint64_t slide)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat status;
	struct macho_header *header;
	uint8_t *command;

	*image = (struct image){.path = path ? path : "(no file named)", .slide = slide};
	if (fd < 0 || fstat(fd, &status))
		give_up(image, "cannot be read");
	image->file = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	header = (void *)image->file;
	if (image->file == MAP_FAILED || header->magic != MACHO_MAGIC ||
	    header->cputype != MACHO_X86_64)
		give_up(image, "is not a Mach-O file for x86_64");
	command = (uint8_t *)(header + 1);
	for (uint32_t i = 0; i < header->ncmds; i++) {
		switch (((struct macho_command *)command)->cmd & ~MACHO_REQUIRED) {
		case MACHO_SEGMENT: map_segment(image, (void *)command); break;
		case MACHO_DYLD_INFO: image->info = (void *)command; break;
		case MACHO_SYMTAB: image->symbols = (void *)command; break;
		case MACHO_MAIN: image->main = (void *)command; break;
		case MACHO_CHAINED_FIXUPS: give_up(image, "uses chained fixups, which are not read here");
		}
		command += ((struct macho_command *)command)->cmdsize;
	}
}

/* The address that an image exports under a name; NULL if none. */
static void *exported(const struct image *image, const char *name)
{
	const struct macho_symbol *symbol = (void *)(image->file + image->symbols->symoff);
	const char *names = (char *)image->file + image->symbols->stroff;

	for (uint32_t i = 0; i < image->symbols->nsyms; i++, symbol++)
		if ((symbol->n_type & (MACHO_EXTERNAL | MACHO_DEFINED)) ==
			    (MACHO_EXTERNAL | MACHO_DEFINED) &&
		    !strcmp(names + symbol->n_strx, name))
			return (void *)(symbol->n_value + image->slide);
	return NULL;
}

/* What an import is connected with. Names may have a variant, as in close$NOCANCEL. */
static void *resolve(const struct image *image, const char *name)
{
	static const char past_the_model[] = "_host_";
	char plain[128];
	void *address = NULL;

	snprintf(plain, sizeof plain, "%.*s", (int)strcspn(name, "$"), name);
	if (image == &program)
		address = exported(&model, plain);
	else if (!strncmp(name, past_the_model, strlen(past_the_model)))
		snprintf(plain, sizeof plain, "_%s", name + strlen(past_the_model));
	if (!address)
		address = shim_find(plain);
	if (!address) {
		dprintf(2, "macho: %s imports %s, which neither the model nor the shim has\n",
			image->path, name);
		unresolved++;
	}
	return address;
}

static uint64_t uleb(uint8_t **at)
{
	uint64_t value = 0;
	int shift = 0;

	do {
		value |= (uint64_t)(**at & 127) << shift;
		shift += 7;
	} while (*(*at)++ & 128);
	return value;
}

/* Opcodes of rebasing, by <mach-o/loader.h>: only an image that moved needs it. */
static void rebase(struct image *image)
{
	uint8_t *at = image->file + image->info->rebase_off, *end = at + image->info->rebase_size;
	uint64_t address = 0, count, step;

	while (image->slide && at < end) {
		int opcode = *at & 0xf0, immediate = *at & 0x0f;

		at++;
		count = 0, step = 8;
		switch (opcode) {
		case 0x00: return;
		case 0x10: break; /* Every type is a pointer here. */
		case 0x20: address = image->segments[immediate]->vmaddr + image->slide + uleb(&at); break;
		case 0x30: address += uleb(&at); break;
		case 0x40: address += 8 * immediate; break;
		case 0x50: count = immediate; break;
		case 0x60: count = uleb(&at); break;
		case 0x70: count = 1, step = 8 + uleb(&at); break;
		case 0x80: count = uleb(&at), step = 8 + uleb(&at); break;
		default: give_up(image, "has an unknown opcode of rebasing");
		}
		for (; count; count--, address += step)
			*(uint64_t *)address += image->slide;
	}
}

/* Opcodes of binding; a lazy list ends each of its parts with opcode 0. */
static void bind(struct image *image, uint32_t offset, uint32_t size, int is_lazy)
{
	uint8_t *at = image->file + offset, *end = at + size;
	uint64_t address = 0, count, step;
	const char *name = "";

	while (at < end) {
		int opcode = *at & 0xf0, immediate = *at & 0x0f;

		at++;
		count = 0, step = 8;
		switch (opcode) {
		case 0x00:
			if (!is_lazy)
				return;
			break;
		case 0x10: case 0x30: case 0x50: break; /* The library, and the type of the pointer. */
		case 0x20: uleb(&at); break;
		case 0x40: name = (char *)at; at += strlen(name) + 1; break;
		case 0x70: address = image->segments[immediate]->vmaddr + image->slide + uleb(&at); break;
		case 0x80: address += uleb(&at); break;
		case 0x90: count = 1; break;
		case 0xa0: count = 1, step = 8 + uleb(&at); break;
		case 0xb0: count = 1, step = 8 + 8 * immediate; break;
		case 0xc0: count = uleb(&at), step = 8 + uleb(&at); break;
		default: give_up(image, "has an unknown opcode of binding");
		}
		for (; count; count--, address += step)
			*(void **)address = resolve(image, name);
	}
}

typedef int entry(int, char **, char **, char **);
typedef uint32_t id(void);

/* Calls `each` with every section of a type. */
static void sections(const struct image *image, int type, void (*each)(uint64_t at, uint64_t size))
{
	for (int i = 0; i < image->count; i++) {
		struct macho_section *section = (void *)(image->segments[i] + 1);

		for (uint32_t k = 0; k < image->segments[i]->nsects; k++, section++)
			if ((section->flags & 0xff) == (uint32_t)type)
				each(section->addr + image->slide, section->size);
	}
}

static int argument_count;
static char **arguments, **environment;

static void initialise(uint64_t at, uint64_t size)
{
	for (uint64_t end = at + size; at < end; at += 8)
		(*(entry **)at)(argument_count, arguments, environment, arguments);
}

static void connect_image(struct image *image)
{
	rebase(image);
	bind(image, image->info->bind_off, image->info->bind_size, 0);
	bind(image, image->info->lazy_bind_off, image->info->lazy_bind_size, 1);
	if (unresolved)
		exit(125);
	for (int i = 0; i < image->count; i++)
		if (image->segments[i]->initprot & 4)
			mprotect((void *)(image->segments[i]->vmaddr + image->slide),
				 image->segments[i]->vmsize, PROT_READ | PROT_EXEC);
}

int main(int count, char **words, char **variables)
{
	uint64_t text = 0;

	argument_count = count, arguments = words, environment = variables;
	/* The program is at the address it was linked for, the model far above it. */
	map(&program, getenv("MX_MODEL_PROGRAM"), 0);
	map(&model, getenv("MX_MODEL_KERNEL"), 0x700000000);
	shim_prepare(count, words);
	connect_image(&model);
	connect_image(&program);
	sections(&program, MACHO_THREAD_DATA, thread_variables);
	sections(&program, MACHO_THREAD_ZEROES, thread_variables);
	sections(&model, MACHO_INITIALIZERS, initialise);
	shim_own_files(((id *)exported(&model, "_geteuid"))(), ((id *)exported(&model, "_getegid"))());
	sections(&program, MACHO_INITIALIZERS, initialise);
	for (int i = 0; i < program.count; i++)
		if (!strcmp(program.segments[i]->segname, "__TEXT"))
			text = program.segments[i]->vmaddr;
	exit(((entry *)(text + program.main->entryoff))(count, words, variables, words));
}
