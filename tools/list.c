// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio list
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

bool on_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

/* Of a terminal: as https://no-color.org has it. */
static bool has_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return term && strcmp(term, "dumb") && (!no || !*no);
}

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

/* Of columns; all 0 where the output is no terminal: then tabs are between them. */
struct widths {
	int name, bus, driver;
	bool colour;
};

static void print_row(const struct widths *w, const char *name, const char *bus, const char *group,
		      const char *driver, const char *text)
{
	const bool green = w->colour && !strcmp(text, "ready");

	if (!w->name)
		printf("%s\t%s\t%s\t%s\t%s\n", name, bus, group, driver, text);
	else
		printf("%-*s  %-*s  %-5s  %-*s  %s%s%s\n", w->name, name, w->bus, bus, group,
		       w->driver, driver, green ? "\033[32m" : "", text, green ? "\033[m" : "");
}

static void print_group(const struct widths *w, const struct evfio_sysdev *dev, int group)
{
	char number[16] = "-";

	if (group >= 0)
		snprintf(number, sizeof(number), "%d", group);
	for (; dev; dev = dev->next) {
		if (dev->group == group)
			print_row(w, dev->name, dev->bus, number, dev->driver ? dev->driver : "-",
				  state(dev));
	}
}

/* By groups, since the members of one go to VFIO together; at the end those that have none yet. */
static void print_table(const struct evfio_sysdev *list)
{
	struct widths w = { 0 };
	const struct evfio_sysdev *dev;
	int group, last = -1;

	if (on_terminal())
		w = (struct widths) { 6, 3, 6, has_colour() };
	for (dev = list; dev; dev = dev->next) {
		last = dev->group > last ? dev->group : last;
		if (!w.name)
			continue;
		widen(&w.name, dev->name);
		widen(&w.bus, dev->bus);
		widen(&w.driver, dev->driver ? dev->driver : "-");
	}
	if (w.name)
		print_row(&w, "DEVICE", "BUS", "GROUP", "DRIVER", "STATE");
	for (group = 0; group <= last; group++)
		print_group(&w, list, group);
	print_group(&w, list, -1);
}

int command_list(char **args, const struct options *opts)
{
	struct evfio_sysdev *list, *dev;
	int status = STATUS_OK;

	(void)args;
	if (evfio_sysdev_list(&list))
		return report();
	if (opts->json) {
		struct json_object *doc = json_object_new_array();

		for (dev = list; dev; dev = dev->next) {
			const char *reason = evfio_sysdev_check(dev) ? evfio_error() : NULL;

			json_object_array_add(doc, json_sysdev(dev, reason));
		}
		status = json_print(doc);
	} else if (list) {
		print_table(list);
	} else if (on_terminal()) {
		puts("no device has an IOMMU");
	}
	evfio_sysdev_free(list);
	return status;
}
