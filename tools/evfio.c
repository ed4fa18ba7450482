// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio: list, describe, bind and unbind devices; virtual functions. See evfio(1).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char usage_text[] =
	"usage: evfio [OPTION]... COMMAND\n"
	"\n"
	"  list             devices that have an IOMMU group or will get one\n"
	"  info DEVICE      all about one: group, regions, interrupts, DMA\n"
	"  bind DEVICE...   take devices from the host and give them to VFIO\n"
	"  unbind DEVICE... give them back to the host\n"
	"  sriov list       functions with SR-IOV and their virtual functions\n"
	"  sriov create DEVICE N\n"
	"                   make N virtual functions of one that is bound to vfio-pci\n"
	"  sriov remove DEVICE\n"
	"                   remove them\n"
	"  token new        print a new token, for a physical function and its virtual ones\n"
	"\n"
	"  --force          for sriov remove: even if they are in use\n"
	"  --json           for list, info and sriov list: print JSON\n"
	"  --sysfs DIR      read the sysfs tree at DIR instead of /sys\n"
	"  --help           print this\n"
	"  --version        print the version\n"
	"\n"
	"DEVICE is a name (10000000.edu, 0000:00:01.0), a sysfs path, or a device-tree path\n"
	"(/edu@10000000).\n"
	"Exit status: 0 if all went well, 1 if something failed, 2 for a wrong command line.\n";

int report(void)
{
	fprintf(stderr, "evfio: %s\n", evfio_error());
	return STATUS_FAILED;
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

static int run(const char *command, char **args, bool json, bool force)
{
	if (!strcmp(command, "sriov"))
		return command_sriov(args, json, force);
	if (force)
		return bad_usage("--force is not for", command);
	if (!strcmp(command, "list"))
		return *args ? bad_usage("list takes no", *args) : command_list(json);
	if (!strcmp(command, "info")) {
		if (!*args)
			return bad_usage("info needs a device", NULL);
		return args[1] ? bad_usage("info takes one device, not also", args[1]) :
				 command_info(*args, json);
	}
	if (strcmp(command, "bind") && strcmp(command, "unbind") && strcmp(command, "token"))
		return bad_usage("no command", command);
	if (json)
		return bad_usage("--json is not for", command);
	if (!strcmp(command, "token"))
		return command_token(args);
	if (!*args)
		return bad_usage("no device to", command);
	if (!strcmp(command, "bind"))
		return for_each(args, evfio_bind, "bound to");
	return for_each(args, evfio_unbind, "given back to");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "sysfs", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	bool json = false, force = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(usage_text, stdout);
			return STATUS_OK;
		case 'V':
			printf("evfio %s\n", evfio_version());
			return STATUS_OK;
		case 'f':
			force = true;
			break;
		case 'j':
			json = true;
			break;
		case 's':
			if (evfio_sysfs_set_root(optarg))
				return report();
			break;
		default:
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		fputs(usage_text, stderr);
		return STATUS_USAGE;
	}
	status = run(argv[optind], argv + optind + 1, json, force);
	if (fflush(stdout) || ferror(stdout)) {
		perror("evfio: standard output");
		return STATUS_FAILED;
	}
	return status;
}
