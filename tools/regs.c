// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio regs: registers are read and written by their place, or by names that a file gives them.
 *
 * Words and file are read before the device is opened, and all that they name is looked for in it
 * before the first access: a mistake leaves the device alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define DUMP_SIZE	256	/* of a region of which no place is given */
#define ROW_SIZE	16

/* One register, or several side by side. */
struct reg {
	char name[32];			/* "": it is given by its place */
	char region[64];		/* name or number; "": the first there is */
	uint64_t offset, size;		/* in bytes; size 0: see sized() */
	unsigned int width;		/* of an access; 0: the device's */
	unsigned int access;		/* EVFIO_REGION_READ, EVFIO_REGION_WRITE */
	unsigned int line;		/* where it is described; 0: it is not */
	bool whole;			/* the region was named alone */
	uint64_t value;			/* to be written */
	struct evfio_region *map;	/* of the open device; NULL: not to be accessed */
};

struct regs {
	const char *file;
	struct reg *known;		/* what the file describes */
	size_t nr_known;
	struct reg *words;		/* what is to be done */
	size_t nr_words;
};

/* [REGION][+OFFSET[:LENGTH]] */
static bool parse_place(const char *text, struct reg *reg)
{
	size_t len = strcspn(text, "+");
	const char *at = text + len;

	if (len >= sizeof(reg->region))
		return false;
	memcpy(reg->region, text, len);
	reg->region[len] = '\0';
	reg->whole = !*at;
	if (*at)
		at = parse_number(at + 1, &reg->offset);
	if (at && *at == ':') {
		at = parse_number(at + 1, &reg->size);
		if (!reg->size)
			return false;
	}
	return at && !*at;
}

static struct reg *known_reg(const struct regs *regs, const char *name)
{
	size_t i;

	for (i = 0; i < regs->nr_known; i++) {
		if (!strcmp(regs->known[i].name, name))
			return &regs->known[i];
	}
	return NULL;
}

static unsigned int parse_access(const char *text)
{
	if (!text || !strcmp(text, "rw"))
		return EVFIO_REGION_READ | EVFIO_REGION_WRITE;
	return !strcmp(text, "r") ? EVFIO_REGION_READ : !strcmp(text, "w") ? EVFIO_REGION_WRITE : 0;
}

/* NAME [REGION+]OFFSET WIDTH [ACCESS]; returns what is wrong with it, NULL if nothing is. */
static const char *parse_line(struct regs *regs, char *line, struct reg *reg)
{
	char *rest, *name = strtok_r(line, " \t\r\n", &rest);
	char *place = strtok_r(NULL, " \t\r\n", &rest), *width = strtok_r(NULL, " \t\r\n", &rest);
	char *access = strtok_r(NULL, " \t\r\n", &rest);
	const char *end;
	uint64_t number;

	if (!width || strtok_r(NULL, " \t\r\n", &rest))
		return "a line is NAME [REGION+]OFFSET WIDTH [ACCESS]";
	if (strlen(name) >= sizeof(reg->name) || strpbrk(name, "+:=") ||
	    strchr("-0123456789", *name))
		return "a name has up to 31 characters, no +, : or =, and begins with no digit";
	if (known_reg(regs, name))
		return "there is a register of that name already";
	strcpy(reg->name, name);
	end = parse_number(place, &reg->offset);
	if (!(end && !*end) && (!strchr(place, '+') || !parse_place(place, reg) || reg->size))
		return "an offset is a number, or a region, + and a number";
	end = parse_number(width, &number);
	if (!end || *end || number > 8 || __builtin_popcountll(number) != 1)
		return "a width is 1, 2, 4 or 8 bytes";
	reg->width = (unsigned int)number;
	reg->access = parse_access(access);
	return reg->access ? NULL : "an access is r, w or rw";
}

/* Reads the description of the registers. */
static int read_file(struct regs *regs)
{
	FILE *file = fopen(regs->file, "re");
	unsigned int number = 0;
	int status = STATUS_OK;
	const char *wrong;
	char line[256];

	if (!file)
		return failed("%s: %s", regs->file, strerror(errno));
	while (status == STATUS_OK && fgets(line, sizeof(line), file)) {
		struct reg reg = { .line = ++number }, *more;

		wrong = strlen(line) == sizeof(line) - 1 ? "the line is too long" : NULL;
		line[strcspn(line, "#")] = '\0';
		if (!wrong && !line[strspn(line, " \t\r\n")])
			continue;
		if (!wrong)
			wrong = parse_line(regs, line, &reg);
		more = realloc(regs->known, (regs->nr_known + 1) * sizeof(reg));
		if (more) {
			regs->known = more;
			more[regs->nr_known++] = reg;
		}
		if (wrong || !more)
			status = failed("%s:%u: %s", regs->file, number,
					wrong ? wrong : strerror(ENOMEM));
	}
	if (status == STATUS_OK && ferror(file))
		status = failed("%s: cannot be read", regs->file);
	fclose(file);
	return status;
}

/* A word, and "=VALUE" if that follows it; width holds for what is not described. */
static int parse_word(struct regs *regs, const char *word, const char *value,
		      unsigned int width, struct reg *reg)
{
	const struct reg *known = known_reg(regs, word);
	const char *end = "", *equals = strchr(word, '=');

	reg->width = width;
	if (known)
		*reg = *known;
	else if (equals && equals != word)
		return bad_usage("=VALUE is a word of its own, not the end of", word);
	else if (equals || !parse_place(word, reg))
		return bad_usage("no register:", word);
	if (value)
		end = parse_number(value + 1, &reg->value);
	if (!end || *end)
		return bad_usage("no value:", value);
	if (value && (reg->size || reg->whole))
		return bad_usage("one register is written at a time, not", word);
	if (known && !(known->access & (value ? EVFIO_REGION_WRITE : EVFIO_REGION_READ)))
		return failed("%s:%u: %s cannot be %s", regs->file, known->line, word,
			      value ? "written" : "read");
	reg->access = value ? EVFIO_REGION_WRITE : EVFIO_REGION_READ;
	return STATUS_OK;
}

/* Without words: what can be read of what is described, or else the first region's beginning. */
static void all_words(struct regs *regs, unsigned int width)
{
	size_t i;

	if (!regs->file)
		regs->words[regs->nr_words++] = (struct reg) {
			.whole = true, .width = width, .access = EVFIO_REGION_READ,
		};
	for (i = 0; i < regs->nr_known; i++) {
		if (!(regs->known[i].access & EVFIO_REGION_READ))
			continue;
		regs->words[regs->nr_words] = regs->known[i];
		regs->words[regs->nr_words++].access = EVFIO_REGION_READ;
	}
}

int regs_new(char **words, const struct options *opts, struct regs **out)
{
	struct regs *regs = calloc(1, sizeof(*regs));
	size_t count = 0;
	int status = STATUS_OK;

	*out = regs;
	if (!regs)
		return failed("%s", strerror(ENOMEM));
	regs->file = opts->names;
	if (regs->file)
		status = read_file(regs);
	while (words[count])
		count++;
	if (status == STATUS_OK) {
		regs->words = calloc(count + regs->nr_known + 1, sizeof(*regs->words));
		if (!regs->words)
			status = failed("%s", strerror(ENOMEM));
	}
	while (status == STATUS_OK && *words) {
		const char *value = words[1] && *words[1] == '=' ? words[1] : NULL;

		status = parse_word(regs, *words, value, opts->width,
				    &regs->words[regs->nr_words++]);
		words += value ? 2 : 1;
	}
	return status;
}

/* The index of a region; a negative errno, with a message. */
static int find_region(const struct evfio_device *dev, const char *name)
{
	struct evfio_region_info info;
	unsigned int i;

	if (*name)
		return index_of(dev, name, evfio_region_index);
	for (i = 0; i < evfio_device_regions(dev); i++) {
		if (!evfio_region_info(dev, i, &info) && info.size)
			return (int)i;
	}
	return 0;
}

/* How many bytes are to be read or written. */
static uint64_t sized(const struct reg *reg, const struct evfio_region_info *info)
{
	uint64_t size = info->size - info->size % reg->width;

	if (!reg->whole)
		return reg->size ? reg->size : reg->width;
	return size < DUMP_SIZE ? size : DUMP_SIZE;
}

/* What the device's registers take alone; 0: it is not said. */
static unsigned int only_width(const struct evfio_device *dev)
{
	uint32_t width;

	if (evfio_dt_u32(evfio_device_syspath(dev), "reg-io-width", 0, &width))
		return 0;
	return width == 1 || width == 2 || width == 4 || width == 8 ? width : 0;
}

/* Looks whether the device has such a register, and settles its width and size; only: see above. */
static int check_reg(const struct regs *regs, const struct evfio_device *dev, unsigned int only,
		     struct reg *reg, struct evfio_region_info *info)
{
	int index = find_region(dev, reg->region);
	char where[300] = "";

	if (reg->line)
		snprintf(where, sizeof(where), "%s:%u: ", regs->file, reg->line);
	if (index < 0 || evfio_region_info(dev, (uint32_t)index, info))
		return failed("%s%s", where, evfio_error());
	if (!reg->width)
		reg->width = only ? only : 4;
	reg->size = sized(reg, info);
	if (only && reg->width != only)
		return failed("%s%s takes accesses of %u bytes only (\"reg-io-width\"), not of %u",
			      where, evfio_device_name(dev), only, reg->width);
	if (reg->offset % reg->width || reg->size % reg->width)
		return failed("%s0x%" PRIx64 " bytes at 0x%" PRIx64 " are no registers of %u bytes",
			      where, reg->size, reg->offset, reg->width);
	if (info->size < reg->size || reg->offset > info->size - reg->size)
		return failed("%s0x%" PRIx64 " bytes at 0x%" PRIx64 " are beyond region %d, of 0x%"
			      PRIx64 " bytes", where, reg->size, reg->offset, index, info->size);
	if (reg->access & ~info->flags)
		return failed("%sregion %d cannot be %s", where, index,
			      info->flags & EVFIO_REGION_READ ? "written" : "read");
	if (reg->width < 8 && reg->value >> (reg->width * 8))
		return failed("0x%" PRIx64 " does not fit into %u bytes", reg->value, reg->width);
	return STATUS_OK;
}

int regs_open(struct regs *regs, const struct evfio_device *dev)
{
	const unsigned int only = only_width(dev);
	struct evfio_region_info info;
	int status = STATUS_OK;
	size_t i;

	for (i = 0; status == STATUS_OK && i < regs->nr_known; i++)
		status = check_reg(regs, dev, only, &regs->known[i], &info);
	for (i = 0; status == STATUS_OK && i < regs->nr_words; i++) {
		status = check_reg(regs, dev, only, &regs->words[i], &info);
		if (status == STATUS_OK && evfio_region_map(dev, info.index, &regs->words[i].map))
			status = report();
	}
	return status;
}

/*
 * Where registers are mapped, a device that does not answer raises SIGBUS: here, and not an error
 * inside the kernel, which is why they are not read by evfio_region_read().
 */
static sigjmp_buf no_answer;

static void on_sigbus(int number)
{
	siglongjmp(no_answer, number);
}

static uint64_t load(const struct evfio_region *map, uint64_t offset, unsigned int width)
{
	switch (width) {
	case 1:
		return evfio_read8(map, offset);
	case 2:
		return evfio_read16(map, offset);
	case 4:
		return evfio_read32(map, offset);
	default:
		return evfio_read64(map, offset);
	}
}

static void store(const struct evfio_region *map, uint64_t offset, unsigned int width,
		  uint64_t value)
{
	switch (width) {
	case 1:
		evfio_write8(map, offset, (uint8_t)value);
		break;
	case 2:
		evfio_write16(map, offset, (uint16_t)value);
		break;
	case 4:
		evfio_write32(map, offset, (uint32_t)value);
		break;
	default:
		evfio_write64(map, offset, value);
	}
}

/* Reads the register to *value, or writes it. */
static int transfer(const struct reg *reg, uint64_t offset, uint64_t *value)
{
	const struct evfio_region *map = reg->map;
	const bool write = reg->access & EVFIO_REGION_WRITE;

	if (!map->base)
		return (write ? evfio_region_write(map, offset, reg->width, *value) :
				evfio_region_read(map, offset, reg->width, value)) ?
		       report() : STATUS_OK;
	if (sigsetjmp(no_answer, 1))
		return failed("the device does not answer at 0x%" PRIx64 " of region %" PRIu32,
			      offset, map->index);
	if (write)
		store(map, offset, reg->width, *value);
	else
		*value = load(map, offset, reg->width);
	return STATUS_OK;
}

static void print_label(const struct reg *reg, uint64_t offset)
{
	char text[96];

	if (*reg->name)
		snprintf(text, sizeof(text), "%s", reg->name);
	else if (*reg->region)
		snprintf(text, sizeof(text), "%s+0x%04" PRIx64, reg->region, offset);
	else
		snprintf(text, sizeof(text), "%" PRIu32 "+0x%04" PRIx64, reg->map->index, offset);
	printf("%-20s", text);
}

static struct json_object *json_reg(const struct reg *reg, uint64_t offset, uint64_t value)
{
	struct json_object *doc = json_object_new_object();

	json_object_object_add(doc, "name", json_string(*reg->name ? reg->name : NULL));
	json_object_object_add(doc, "region", json_object_new_int64(reg->map->index));
	json_object_object_add(doc, "offset", json_address(offset));
	json_object_object_add(doc, "width", json_object_new_int((int)reg->width));
	json_object_object_add(doc, "value", json_address(value));
	return doc;
}

/* Reads the register, or those, and prints them in rows or adds them to array, if that is given. */
static int read_reg(const struct reg *reg, struct json_object *array)
{
	int status = STATUS_OK;
	uint64_t at, value;

	for (at = 0; at < reg->size; at += reg->width) {
		status = transfer(reg, reg->offset + at, &value);
		if (status != STATUS_OK)
			break;
		if (array) {
			json_object_array_add(array, json_reg(reg, reg->offset + at, value));
			continue;
		}
		if (at && !(at % ROW_SIZE))
			putchar('\n');
		if (!(at % ROW_SIZE))
			print_label(reg, reg->offset + at);
		printf(" %s%0*" PRIx64, reg->size > reg->width ? "" : "0x", (int)reg->width * 2,
		       value);
	}
	if (!array && at)
		putchar('\n');
	return status;
}

int regs_run(struct regs *regs, bool json)
{
	struct json_object *array = json ? json_object_new_array() : NULL;
	struct sigaction action = { .sa_handler = on_sigbus };
	int status = STATUS_OK;
	size_t i;

	sigaction(SIGBUS, &action, NULL);
	for (i = 0; status == STATUS_OK && i < regs->nr_words; i++) {
		struct reg *reg = &regs->words[i];

		if (reg->access & EVFIO_REGION_WRITE)
			status = transfer(reg, reg->offset, &reg->value);
		else
			status = read_reg(reg, array);
	}
	if (status == STATUS_OK && array)
		return json_print(array);
	json_object_put(array);
	return status;
}

void regs_free(struct regs *regs)
{
	size_t i;

	for (i = 0; regs && i < regs->nr_words; i++)
		evfio_region_unmap(regs->words[i].map);
	if (regs) {
		free(regs->words);
		free(regs->known);
	}
	free(regs);
}

int command_regs(char **args, const struct options *opts)
{
	struct evfio_device *dev = NULL;
	struct regs *regs;
	int status;

	status = regs_new(args + 1, opts, &regs);
	if (status == STATUS_OK && !args[1])
		all_words(regs, opts->width);
	if (status == STATUS_OK && evfio_open(args[0], &dev))
		status = report();
	if (status == STATUS_OK)
		status = regs_open(regs, dev);
	if (status == STATUS_OK)
		status = regs_run(regs, opts->json);
	regs_free(regs);
	evfio_close(dev);
	return status;
}
