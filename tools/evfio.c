// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio: list, describe, examine, bind, unbind and reset devices; virtual functions. See evfio(1).
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"

int report(void)
{
	fprintf(stderr, "evfio: %s\n", evfio_error());
	return STATUS_FAILED;
}

int failed(const char *fmt, ...)
{
	va_list args;

	fputs("evfio: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return STATUS_FAILED;
}

const char *parse_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	return errno || *text < '0' || *text > '9' ? NULL : end;
}

int index_of(const struct evfio_device *dev, const char *name,
	     int (*find)(const struct evfio_device *dev, const char *name))
{
	uint64_t number;
	const char *end = parse_number(name, &number);

	return end && !*end && number <= INT32_MAX ? (int)number : find(dev, name);
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int bad_usage(const char *what, const char *word)
{
	fprintf(stderr, "evfio: %s%s%s: see `evfio --help`\n", what, word ? " " : "",
		word ? word : "");
	return STATUS_USAGE;
}

/* Does the same to each device; one that fails does not keep the others from it. */
static int for_each(char **names, int (*act)(const char *name), const char *done)
{
	int status = STATUS_OK;

	for (; *names; names++) {
		struct evfio_sysdev *dev;

		if (act(*names) || evfio_sysdev_find(*names, &dev)) {
			status = report();
			continue;
		}
		if (dev->driver)
			printf("%s: %s %s, group %d\n", dev->name, done, dev->driver, dev->group);
		/* A host driver that still has a member of the group will keep us out. */
		if (dev->driver && strstr(dev->driver, "vfio") && evfio_sysdev_check(dev))
			printf("%s: %s\n", dev->name, evfio_error());
		if (!dev->driver)
			printf("%s: %s no driver\n", dev->name, done);
		evfio_sysdev_free(dev);
	}
	return status;
}

/* evfio_bind(), but not of what the host itself needs. */
static int bind_spare(const char *name)
{
	int err = evfio_bind_check(name);

	return err ? err : evfio_bind(name);
}

static int command_bind(char **args, const struct options *opts)
{
	return for_each(args, opts->force ? evfio_bind : bind_spare, "bound to");
}

static int command_unbind(char **args, const struct options *opts)
{
	(void)opts;
	return for_each(args, evfio_unbind, "given back to");
}

static int command_reset(char **args, const struct options *opts)
{
	struct evfio_device *dev;
	int err;

	(void)opts;
	if (evfio_open(args[0], &dev))
		return report();
	err = evfio_device_reset(dev);
	if (!err)
		printf("%s: reset\n", evfio_device_name(dev));
	evfio_close(dev);
	return err ? report() : STATUS_OK;
}

/* Options that some commands take, as bits beyond those of characters. */
enum {
	FORCE = 1 << 8,
	JSON = 1 << 9,
	NAMES = 1 << 10,
	WIDTH = 1 << 11,
	COUNT = 1 << 12,
	TIMEOUT = 1 << 13,
};

static const struct option options[] = {
	{ "count", required_argument, NULL, COUNT },
	{ "force", no_argument, NULL, FORCE },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, JSON },
	{ "names", required_argument, NULL, NAMES },
	{ "sysfs", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "version", no_argument, NULL, 'V' },
	{ "width", required_argument, NULL, WIDTH },
	{ 0 },
};

#define ANY	-1

static const struct command {
	const char *name;	/* one word or two */
	const char *args;	/* what follows, as --help has it ... */
	int min, max;		/* ... and how many words that are */
	unsigned int options;	/* those it takes */
	int (*run)(char **args, const struct options *opts);
	const char *help;
} commands[] = {
	{ "list", "", 0, 0, JSON, command_list,
	  "devices that have an IOMMU group or will get one" },
	{ "info", "DEVICE", 1, 1, JSON, command_info,
	  "all about one: group, regions, interrupts, DMA" },
	{ "doctor", "[DEVICE...]", 0, ANY, JSON, command_doctor,
	  "what stands in the way of drivers for them, and what mends that" },
	{ "bind", "DEVICE...", 1, ANY, FORCE, command_bind,
	  "take devices from the host and give them to VFIO" },
	{ "unbind", "DEVICE...", 1, ANY, 0, command_unbind,
	  "give them back to the host" },
	{ "reset", "DEVICE", 1, 1, 0, command_reset,
	  "put one into its reset state" },
	{ "regs", "DEVICE [REGISTER [=VALUE]]...", 1, ANY, JSON | NAMES | WIDTH, command_regs,
	  "print registers, and write some" },
	{ "irq watch", "DEVICE [INTERRUPT] [REGISTER =VALUE]...", 1, ANY,
	  COUNT | JSON | NAMES | TIMEOUT | WIDTH, command_irq_watch,
	  "wait for an interrupt, print when it fires" },
	{ "dma test", "DEVICE", 1, 1, JSON, command_dma_test,
	  "map memory wherever the IOMMU says it can be, print how long that takes" },
	{ "bench", "DEVICE", 1, 1, JSON, command_bench,
	  "how long it takes to open it, to map memory, to move windows" },
	{ "sriov list", "", 0, 0, JSON, command_sriov_list,
	  "functions with SR-IOV and their virtual functions" },
	{ "sriov create", "DEVICE N", 2, 2, 0, command_sriov_create,
	  "make N virtual functions of one that is bound to vfio-pci" },
	{ "sriov remove", "DEVICE", 1, 1, FORCE, command_sriov_remove,
	  "remove them" },
	{ "token new", "", 0, 0, 0, command_token_new,
	  "print a new token, for a physical function and its virtual ones" },
};

static const char options_text[] =
	"\n"
	"  --count N        for irq watch: end after so many interrupts\n"
	"  --force          for bind: even what the host itself needs; for sriov remove: even what\n"
	"                   is in use\n"
	"  --json           for list, info, doctor, regs, irq watch, dma test, bench, sriov list: print\n"
	"                   JSON\n"
	"  --names FILE     for regs, irq watch: a description of the device's registers\n"
	"  --sysfs DIR      read the sysfs tree at DIR instead of /sys\n"
	"  --timeout SECONDS\n"
	"                   for irq watch: how long to wait in all\n"
	"  --width BYTES    for regs, irq watch: width of accesses, 1, 2, 4 or 8\n"
	"  --help           print this\n"
	"  --version        print the version\n"
	"\n"
	"DEVICE is a name (10000000.edu, 0000:00:01.0), a sysfs path, or a device-tree path\n"
	"(/edu@10000000). REGISTER is a name in FILE, or [REGION][+OFFSET[:LENGTH]].\n"
	"Exit status: 0 if all went well, 1 if something failed, 2 for a wrong command line, 3 if doctor\n"
	"found something in the way.\n";

static void usage(FILE *out)
{
	size_t i;

	fputs("usage: evfio [OPTION]... COMMAND\n\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		int width = fprintf(out, "  %s %s", commands[i].name, commands[i].args);

		fprintf(out, "%s%*s%s\n", width > 24 ? "\n" : "", width > 24 ? 25 : 25 - width, "",
			commands[i].help);
	}
	fputs(options_text, out);
}

/* Whether a word is the first one of a command's name, or the only one. */
static bool begins(const struct command *command, const char *word)
{
	size_t len = strcspn(command->name, " ");

	return strlen(word) == len && !strncmp(word, command->name, len);
}

/* Says what there is that begins with the word. */
static int wrong(const char *word)
{
	bool found = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!begins(&commands[i], word))
			continue;
		fprintf(stderr, "%s evfio %s%s%s\n", found ? "             " : "evfio: usage:",
			commands[i].name, *commands[i].args ? " " : "", commands[i].args);
		found = true;
	}
	return found ? STATUS_USAGE : bad_usage("no command", word);
}

/* Whether the command takes the options that are given. */
static int check_options(const struct command *command, const struct options *opts)
{
	const struct option *option;
	char text[40];

	for (option = options; option->name; option++) {
		if (!(opts->given & (unsigned int)option->val & ~0xffU & ~command->options))
			continue;
		snprintf(text, sizeof(text), "--%s is not for", option->name);
		return bad_usage(text, command->name);
	}
	return STATUS_OK;
}

static int run(char **words, const struct options *opts)
{
	const struct command *command;
	const char *first = words[0];
	int count = 0;

	for (command = commands; command < commands + ARRAY_SIZE(commands); command++) {
		const char *second = strchr(command->name, ' ');

		if (!begins(command, first) ||
		    (second && (!words[1] || strcmp(words[1], second + 1))))
			continue;
		words += second ? 2 : 1;
		while (words[count])
			count++;
		if (count < command->min || (command->max != ANY && count > command->max))
			return wrong(first);
		if (check_options(command, opts))
			return STATUS_USAGE;
		return command->run(words, opts);
	}
	return wrong(first);
}

int main(int argc, char **argv)
{
	struct options opts = { 0 };
	int opt, status;
	const char *end;
	uint64_t number;
	double seconds;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			usage(stdout);
			return STATUS_OK;
		case 'V':
			printf("evfio %s\n", evfio_version());
			return STATUS_OK;
		case COUNT:
			end = parse_number(optarg, &opts.count);
			if (!end || *end || !opts.count)
				return bad_usage("not a number of interrupts:", optarg);
			break;
		case FORCE:
			opts.force = true;
			break;
		case JSON:
			opts.json = true;
			break;
		case NAMES:
			opts.names = optarg;
			break;
		case TIMEOUT:
			seconds = strtod(optarg, (char **)&end);
			if (*end || !(seconds >= 0.001 && seconds <= 1000000))
				return bad_usage("not 0.001 to 1000000 seconds:", optarg);
			opts.timeout_ms = (int)(seconds * 1000);
			break;
		case WIDTH:
			end = parse_number(optarg, &number);
			if (!end || *end || number > 8 || __builtin_popcountll(number) != 1)
				return bad_usage("not a width of 1, 2, 4 or 8 bytes:", optarg);
			opts.width = (unsigned int)number;
			break;
		case 's':
			if (evfio_sysfs_set_root(optarg))
				return report();
			break;
		default:
			return STATUS_USAGE;
		}
		opts.given |= (unsigned int)opt;
	}
	if (optind == argc) {
		usage(stderr);
		return STATUS_USAGE;
	}
	status = run(argv + optind, &opts);
	if (fflush(stdout) || ferror(stdout)) {
		perror("evfio: standard output");
		return STATUS_FAILED;
	}
	return status;
}
