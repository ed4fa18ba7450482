// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio info: everything is gathered in one JSON document, which is printed as it is or as text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct flag {
	uint32_t bit;
	const char *name;
};

static const struct flag region_flags[] = {
	{ EVFIO_REGION_READ, "read" },
	{ EVFIO_REGION_WRITE, "write" },
	{ EVFIO_REGION_MMAP, "mmap" },
	{ 0 },
};

static const struct flag irq_flags[] = {
	{ EVFIO_IRQ_EVENTFD, "eventfd" },
	{ EVFIO_IRQ_MASKABLE, "maskable" },
	{ EVFIO_IRQ_AUTOMASKED, "automasked" },
	{ EVFIO_IRQ_NORESIZE, "noresize" },
	{ 0 },
};

static struct json_object *json_flags(uint32_t flags, const struct flag *names)
{
	struct json_object *array = json_object_new_array();

	for (; names->bit; names++) {
		if (flags & names->bit)
			json_object_array_add(array, json_string(names->name));
	}
	return array;
}

static struct json_object *json_members(const struct evfio_sysdev *dev)
{
	struct json_object *array = json_object_new_array();
	struct evfio_sysdev *members, *member;

	if (dev->group < 0 || evfio_group_members(dev->group, &members))
		return array;
	for (member = members; member; member = member->next) {
		struct json_object *doc = json_object_new_object();

		json_object_object_add(doc, "name", json_string(member->name));
		json_object_object_add(doc, "driver", json_string(member->driver));
		json_object_array_add(array, doc);
	}
	evfio_sysdev_free(members);
	return array;
}

static struct json_object *json_regions(const struct evfio_device *dev)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < evfio_device_regions(dev); i++) {
		struct json_object *doc;
		struct evfio_region_info info;

		if (evfio_region_info(dev, i, &info) || !info.size)
			continue;
		doc = json_object_new_object();
		json_object_object_add(doc, "index", json_object_new_int((int)i));
		json_object_object_add(doc, "name", json_string(*info.name ? info.name : NULL));
		json_object_object_add(doc, "size", json_object_new_int64((int64_t)info.size));
		json_object_object_add(doc, "flags", json_flags(info.flags, region_flags));
		json_object_array_add(array, doc);
	}
	return array;
}

static struct json_object *json_irqs(const struct evfio_device *dev)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < evfio_device_irqs(dev); i++) {
		struct json_object *doc;
		struct evfio_irq_info info;

		if (evfio_irq_info(dev, i, &info) || !info.count)
			continue;
		doc = json_object_new_object();
		json_object_object_add(doc, "index", json_object_new_int((int)i));
		json_object_object_add(doc, "name", json_string(*info.name ? info.name : NULL));
		json_object_object_add(doc, "count", json_object_new_int64(info.count));
		json_object_object_add(doc, "flags", json_flags(info.flags, irq_flags));
		json_object_array_add(array, doc);
	}
	return array;
}

static struct json_object *json_ranges(struct evfio_container *ct)
{
	struct json_object *array = json_object_new_array();
	int i, count = evfio_dma_ranges(ct, NULL, 0);
	struct evfio_iova_range *ranges;

	ranges = count > 0 ? calloc((size_t)count, sizeof(*ranges)) : NULL;
	if (!ranges || evfio_dma_ranges(ct, ranges, (unsigned int)count) != count)
		count = 0;
	for (i = 0; i < count; i++) {
		struct json_object *doc = json_object_new_object();

		json_object_object_add(doc, "first", json_address(ranges[i].first));
		json_object_object_add(doc, "last", json_address(ranges[i].last));
		json_object_array_add(array, doc);
	}
	free(ranges);
	return array;
}

static struct json_object *json_page_sizes(struct evfio_container *ct)
{
	struct json_object *array = json_object_new_array();
	uint64_t sizes = 0, page;

	if (evfio_dma_page_sizes(ct, &sizes))
		return array;
	for (page = 1; page; page <<= 1) {
		if (sizes & page)
			json_object_array_add(array, json_object_new_uint64(page));
	}
	return array;
}

/* As lspci and the kernel's tables of identifiers have them. */
static void add_pci(struct json_object *doc, const struct evfio_sysdev *dev)
{
	char text[24];

	if (!dev->pci_vendor)
		return;
	snprintf(text, sizeof(text), "%04x:%04x", dev->pci_vendor, dev->pci_device);
	json_object_object_add(doc, "pci_id", json_string(text));
	snprintf(text, sizeof(text), "%06x", dev->pci_class);
	json_object_object_add(doc, "pci_class", json_string(text));
}

void json_iommu(struct json_object *doc, struct evfio_container *ct)
{
	uint32_t available;

	json_object_object_add(doc, "iova_page_sizes", json_page_sizes(ct));
	json_object_object_add(doc, "iova_ranges", json_ranges(ct));
	if (!evfio_dma_available(ct, &available))
		json_object_object_add(doc, "mappings_available",
				       json_object_new_int64(available));
}

/* What only an open device tells. */
static void add_open(struct json_object *doc, const struct evfio_device *dev)
{
	json_object_object_add(doc, "can_reset",
			       json_object_new_boolean(evfio_device_can_reset(dev)));
	json_object_object_add(doc, "regions", json_regions(dev));
	json_object_object_add(doc, "irqs", json_irqs(dev));
	json_iommu(doc, evfio_device_container(dev));
}

/* A member as text; "-" for null and for what is not there. */
static const char *text_of(struct json_object *doc, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(doc, key, &value) || !value)
		return "-";
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "yes" : "no";
	return json_object_get_string(value);
}

static struct json_object *array_of(struct json_object *doc, const char *key, size_t *length)
{
	struct json_object *array = NULL;

	json_object_object_get_ex(doc, key, &array);
	*length = array ? json_object_array_length(array) : 0;
	return array;
}

static void print_flags(struct json_object *doc)
{
	size_t i, length;
	struct json_object *flags = array_of(doc, "flags", &length);

	for (i = 0; i < length; i++)
		printf(" %s", json_object_get_string(json_object_array_get_idx(flags, i)));
	putchar('\n');
}

void print_size(uint64_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;

	while (size && !(size % 1024)) {
		size /= 1024;
		unit++;
	}
	printf(" %" PRIu64 " %s", size, units[unit]);
}

static void print_list(struct json_object *doc, const char *key, const char *what)
{
	size_t i, length;
	struct json_object *array = array_of(doc, key, &length);

	for (i = 0; i < length; i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);
		const char *name = text_of(entry, "name");
		struct json_object *size, *count;

		printf("%-12s %s", what, text_of(entry, "index"));
		if (strcmp(name, "-"))
			printf(" \"%s\"", name);
		putchar(':');
		if (json_object_object_get_ex(entry, "size", &size))
			print_size((uint64_t)json_object_get_int64(size));
		if (json_object_object_get_ex(entry, "count", &count) &&
		    json_object_get_int64(count) > 1)
			printf(" %" PRId64 " vectors", json_object_get_int64(count));
		print_flags(entry);
	}
}

void print_iommu(struct json_object *doc)
{
	size_t i, length;
	struct json_object *array = array_of(doc, "iova_page_sizes", &length);

	if (length)
		printf("%-12s", "iommu pages");
	for (i = 0; i < length; i++)
		print_size(json_object_get_uint64(json_object_array_get_idx(array, i)));
	if (length)
		putchar('\n');

	array = array_of(doc, "iova_ranges", &length);
	for (i = 0; i < length; i++) {
		struct json_object *range = json_object_array_get_idx(array, i);

		printf("%-12s %s - %s\n", "iova range", text_of(range, "first"),
		       text_of(range, "last"));
	}
	if (json_object_object_get_ex(doc, "mappings_available", NULL))
		printf("%-12s %s\n", "mappings", text_of(doc, "mappings_available"));
}

static void print_text(struct json_object *doc)
{
	static const char *const rows[][2] = {
		{ "device", "name" },
		{ "bus", "bus" },
		{ "sysfs", "syspath" },
		{ "device tree", "of_path" },
		{ "compatible", "compatible" },
		{ "driver", "driver" },
		{ "group", "group" },
	};
	struct json_object *array;
	size_t i, length;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		printf("%-12s %s\n", rows[i][0], text_of(doc, rows[i][1]));
	if (json_object_object_get_ex(doc, "pci_id", NULL))
		printf("%-12s %s class %s\n", "pci", text_of(doc, "pci_id"),
		       text_of(doc, "pci_class"));
	array = array_of(doc, "members", &length);
	for (i = 0; i < length; i++) {
		struct json_object *member = json_object_array_get_idx(array, i);

		printf("%-12s %s (%s)\n", "member", text_of(member, "name"),
		       text_of(member, "driver"));
	}
	printf("%-12s %s\n", "coherent", text_of(doc, "coherent"));
	printf("%-12s %s\n", "state",
	       strcmp(text_of(doc, "ready"), "yes") ? text_of(doc, "reason") : "ready");
	if (json_object_object_get_ex(doc, "can_reset", NULL))
		printf("%-12s %s\n", "reset", text_of(doc, "can_reset"));
	print_list(doc, "regions", "region");
	print_list(doc, "irqs", "interrupt");
	print_iommu(doc);
}

int command_info(char **args, const struct options *opts)
{
	struct evfio_device *dev = NULL;
	const char *reason = NULL;
	char compatible[128];
	struct evfio_sysdev *sys;
	struct json_object *doc;

	if (evfio_sysdev_find(args[0], &sys))
		return report();
	if (evfio_sysdev_check(sys) || evfio_open(sys->syspath, &dev))
		reason = evfio_error();
	doc = json_sysdev(sys, reason);
	add_pci(doc, sys);
	if (evfio_dt_string(sys->syspath, "compatible", 0, compatible, sizeof(compatible)) >= 0)
		json_object_object_add(doc, "compatible", json_string(compatible));
	json_object_object_add(doc, "members", json_members(sys));
	if (dev)
		add_open(doc, dev);
	evfio_close(dev);
	evfio_sysdev_free(sys);
	if (opts->json)
		return json_print(doc);
	print_text(doc);
	json_object_put(doc);
	return STATUS_OK;
}
