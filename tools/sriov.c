// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio sriov, evfio token
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static struct json_object *json_function(const struct evfio_sysdev *dev)
{
	return json_sysdev(dev, evfio_sysdev_check(dev) ? evfio_error() : NULL);
}

/* A PF as `evfio list` has it, and how many VFs it can have, and which it has. */
static struct json_object *json_pf(const struct evfio_sysdev *pf, int total,
				   const struct evfio_sysdev *vfs)
{
	struct json_object *doc = json_function(pf), *array = json_object_new_array();

	for (; vfs; vfs = vfs->next)
		json_object_array_add(array, json_function(vfs));
	json_object_object_add(doc, "total_vfs", json_object_new_int(total));
	json_object_object_add(doc, "vfs", array);
	return doc;
}

static void print_function(const struct evfio_sysdev *dev, const char *vfs)
{
	char group[16] = "-";

	if (dev->group >= 0)
		snprintf(group, sizeof(group), "%d", dev->group);
	printf(on_terminal() ? "%-14s  %-10s  %-5s  %s\n" : "%s\t%s\t%s\t%s\n",
	       dev->name, vfs, group, dev->driver ? dev->driver : "-");
}

static void print_pf(const struct evfio_sysdev *pf, int total, const struct evfio_sysdev *vfs)
{
	const struct evfio_sysdev *vf;
	char text[32];
	int count = 0;

	for (vf = vfs; vf; vf = vf->next)
		count++;
	snprintf(text, sizeof(text), "%d of %d", count, total);
	print_function(pf, text);
	for (vf = vfs; vf; vf = vf->next)
		print_function(vf, "-");
}

int command_sriov_list(char **args, const struct options *opts)
{
	struct json_object *array = opts->json ? json_object_new_array() : NULL;
	struct evfio_sysdev *all, *dev, *vfs;
	int total, found = 0;

	(void)args;
	if (evfio_sysdev_list(&all)) {
		json_object_put(array);
		return report();
	}
	for (dev = all; dev; dev = dev->next) {
		total = evfio_sriov_max(dev);
		if (evfio_sriov_vfs(dev, &vfs) < 0)
			continue;
		if (array)
			json_object_array_add(array, json_pf(dev, total, vfs));
		else if (!found++ && on_terminal())
			puts("FUNCTION        VFS         GROUP  DRIVER");
		if (!array)
			print_pf(dev, total, vfs);
		evfio_sysdev_free(vfs);
	}
	evfio_sysdev_free(all);
	if (array)
		return json_print(array);
	if (!found && on_terminal())
		puts("no device has SR-IOV");
	return STATUS_OK;
}

int command_sriov_create(char **args, const struct options *opts)
{
	struct evfio_sysdev *pf, *vfs, *vf;
	const char *name = args[0], *number = args[1];
	unsigned long count;
	char *end;

	(void)opts;
	errno = 0;
	count = strtoul(number, &end, 10);
	if (errno || end == number || *end || *number == '-' || count > UINT16_MAX)
		return bad_usage("not a number of virtual functions:", number);
	if (evfio_sriov_create(name, (unsigned int)count) || evfio_sysdev_find(name, &pf))
		return report();
	evfio_sriov_vfs(pf, &vfs);
	for (vf = vfs; vf; vf = vf->next)
		printf("%s: bound to %s, group %d\n", vf->name,
		       vf->driver ? vf->driver : "no driver", vf->group);
	evfio_sysdev_free(vfs);
	evfio_sysdev_free(pf);
	return STATUS_OK;
}

int command_sriov_remove(char **args, const struct options *opts)
{
	return evfio_sriov_remove(args[0], opts->force) ? report() : STATUS_OK;
}

int command_token_new(char **args, const struct options *opts)
{
	char text[EVFIO_TOKEN_TEXT];
	struct evfio_token token;

	(void)args;
	(void)opts;
	if (evfio_token_new(&token))
		return report();
	evfio_token_print(&token, text);
	puts(text);
	return STATUS_OK;
}
