/*
 * As much of AppKit and of the Objective-C runtime as mx calls: one pasteboard.
 * It has what the scenario says (`pasteboard TYPE VALUE`) until something is
 * copied, which is kept in the file MX_MODEL_PASTEBOARD for the next run. The
 * scenario may say `pasteboard never-answers`, as when macOS asks the user first.
 * Objects that are used outside of a pool end the run: on a Mac they leak.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

int host_nanosleep(const struct timespec *, struct timespec *);

struct object {
	char *bytes;
	size_t length;
};

static struct object pasteboard = {"NSPasteboard", 0}, data = {"NSData", 0}, string = {"NSString", 0};
static struct object items[64], types[64];
static struct object *type_list[64];
static int item_count, pools;
static long changes = 1;

/* What takes an object from a pool that is not there. */
static void needs_pool(const char *selector)
{
	if (pools > 0)
		return;
	dprintf(2, "model: %s without an autorelease pool\n", selector);
	_exit(125);
}

static struct object *object(const void *bytes, size_t length)
{
	struct object *made = malloc(sizeof *made);

	made->bytes = calloc(1, length + 1);
	made->length = length;
	memcpy(made->bytes, bytes, length);
	return made;
}

static void add(const char *type, const char *bytes, size_t length)
{
	types[item_count] = *object(type, strlen(type));
	items[item_count++] = *object(bytes, length);
}

/* A value may have %XX, as everywhere in a scenario. */
static void add_line(const char *line)
{
	char type[128], value[4096], *to = value;
	const char *from;
	unsigned byte;

	if (sscanf(line, "%127s", type) != 1 || !strcmp(type, "never-answers"))
		return;
	for (from = line + strlen(type); *from == ' '; from++)
		;
	for (; *from && to < value + sizeof value; from++)
		if (*from == '%' && sscanf(from + 1, "%2x", &byte) == 1)
			*to++ = (char)byte, from += 2;
		else
			*to++ = *from;
	add(type, value, (size_t)(to - value));
}

/* The file has "TYPE LENGTH", a newline, and the bytes, for each type. */
static void load(void)
{
	const char *path = getenv("MX_MODEL_PASTEBOARD"), *line;
	FILE *file = path ? fopen(path, "r") : NULL;
	char type[128], head[256];
	size_t length;

	item_count = 0;
	for (int i = 0; !file && (line = scenario_nth("pasteboard", i)); i++)
		add_line(line);
	while (file && fgets(head, sizeof head, file) && sscanf(head, "%127s %zu", type, &length) == 2) {
		char *bytes = malloc(length + 1);

		length = fread(bytes, 1, length, file);
		add(type, bytes, length);
		free(bytes);
	}
	if (file)
		fclose(file);
}

static void *put(const struct object *bytes, const struct object *type)
{
	const char *path = getenv("MX_MODEL_PASTEBOARD");
	FILE *file = path ? fopen(path, "a") : NULL;

	if (!file)
		return NULL;
	dprintf(fileno(file), "%s %zu\n", type->bytes, bytes->length);
	write(fileno(file), bytes->bytes, bytes->length);
	fclose(file);
	return (void *)1;
}

static void *clear(void)
{
	const char *path = getenv("MX_MODEL_PASTEBOARD");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (file)
		fclose(file);
	return (void *)++changes;
}

static void *find(const struct object *type)
{
	const struct timespec hour = {3600, 0};

	if (scenario_nth("pasteboard", 0) && !strcmp(scenario_nth("pasteboard", 0), "never-answers"))
		host_nanosleep(&hour, NULL);
	load();
	for (int i = 0; i < item_count; i++)
		if (!strcmp(types[i].bytes, type->bytes))
			return object(items[i].bytes, items[i].length);
	return NULL;
}

static void *list_types(void)
{
	struct object *list;

	load();
	for (int i = 0; i < item_count; i++)
		type_list[i] = &types[i];
	list = object(type_list, sizeof *type_list * (size_t)item_count);
	list->length = (size_t)item_count;
	return list;
}

static void *message(struct object *self, const char *selector, void *first, void *second)
{
#define IS(name) (!strcmp(selector, name))
	if (!self)
		return NULL;
	needs_pool(selector);
	if IS("generalPasteboard") return &pasteboard;
	if IS("clearContents") return clear();
	if IS("changeCount") return (void *)changes;
	if IS("dataWithBytes:length:") return object(first, (size_t)second);
	if IS("stringWithUTF8String:") return object(first, strlen(first));
	if (IS("length") || IS("count")) return (void *)self->length;
	if (IS("bytes") || IS("UTF8String")) return self->bytes;
	if IS("objectAtIndex:") return ((struct object **)(void *)self->bytes)[(size_t)first];
	if IS("setData:forType:") return put(first, second);
	if IS("dataForType:") return find(first);
	if IS("types") return list_types();
	dprintf(2, "model: an object of %s does not understand %s\n", self->bytes, selector);
	_exit(125);
}

static void *class_named(const char *name)
{
	struct object *classes[] = {&pasteboard, &data, &string};

	for (int i = 0; i < 3; i++)
		if (!strcmp(classes[i]->bytes, name))
			return classes[i];
	return NULL;
}

static void *selector_named(const char *name) { return (void *)name; }
static void *push(void) { return (void *)(long)++pools; }

/* clang's Automatic Reference Counting: a pool ends with all that were begun after it. */
static void pop(void *pool)
{
	if ((long)pool != pools--) {
		dprintf(2, "model: an autorelease pool was ended out of order\n");
		_exit(125);
	}
}

void *dlopen(const char *path, int mode)
{
	(void)mode;
	return path && strstr(path, "AppKit") && scenario_nth("pasteboard", 0) ? &pasteboard : NULL;
}

void *dlsym(void *library, const char *name)
{
	(void)library;
	if (!strcmp(name, "objc_msgSend")) return (void *)message;
	if (!strcmp(name, "objc_getClass")) return (void *)class_named;
	if (!strcmp(name, "sel_registerName")) return (void *)selector_named;
	if (!strcmp(name, "objc_autoreleasePoolPush")) return (void *)push;
	if (!strcmp(name, "objc_autoreleasePoolPop")) return (void *)pop;
	return NULL;
}
