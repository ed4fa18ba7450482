// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio list
 */
#include <stdio.h>
#include <string.h>

#include "tool.h"

/* What the table says of a device; the reason in full only where it is not in the other columns. */
static const char *state(const struct evfio_sysdev *dev)
{
	if (!dev->driver)
		return "no driver";
	if (!strstr(dev->driver, "vfio"))
		return "used by the host";
	return evfio_sysdev_check(dev) ? evfio_error() : "ready";
}

static void widen(int *width, const char *text)
{
	int len = (int)strlen(text);

	if (len > *width)
		*width = len;
}

static void print_table(const struct evfio_sysdev *list)
{
	const struct evfio_sysdev *dev;
	int name = 6, bus = 3, driver = 6;

	for (dev = list; dev; dev = dev->next) {
		widen(&name, dev->name);
		widen(&bus, dev->bus);
		widen(&driver, dev->driver ? dev->driver : "-");
	}
	printf("%-*s  %-*s  %-5s  %-*s  %s\n", name, "DEVICE", bus, "BUS", "GROUP", driver,
	       "DRIVER", "STATE");
	for (dev = list; dev; dev = dev->next) {
		char group[16] = "-";

		if (dev->group >= 0)
			snprintf(group, sizeof(group), "%d", dev->group);
		printf("%-*s  %-*s  %-5s  %-*s  %s\n", name, dev->name, bus, dev->bus, group,
		       driver, dev->driver ? dev->driver : "-", state(dev));
	}
}

int command_list(bool json)
{
	struct evfio_sysdev *list, *dev;
	int status = STATUS_OK;

	if (evfio_sysdev_list(&list))
		return report();
	if (json) {
		struct json_object *doc = json_object_new_array();

		for (dev = list; dev; dev = dev->next) {
			const char *reason = evfio_sysdev_check(dev) ? evfio_error() : NULL;

			json_object_array_add(doc, json_sysdev(dev, reason));
		}
		status = json_print(doc);
	} else if (list) {
		print_table(list);
	} else {
		puts("no device has an IOMMU");
	}
	evfio_sysdev_free(list);
	return status;
}
