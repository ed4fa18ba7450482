// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_together - PCI functions that must be owned together, though the IOMMU can tell them apart
 *
 *	slot	the functions of a slot, by a parameter of the module
 *	fresh	the same, when the second has never had a driver
 *	tree	functions that the device tree names
 *	group	functions of a slot that the IOMMU does not tell apart
 *	apart	nothing says so
 */
/*
 * vm: board=pci stock=uio_pci_generic args=slot params="vfio-pci.multifunction_groups=1"
 * vm: board=pci stock=uio_pci_generic args=fresh params="vfio-pci.multifunction_groups=1" bind=no
 * vm: board=pci stock=uio_pci_generic args=tree overlay=pcipair
 * vm: board=pci stock=uio_pci_generic args=group params="vfio-pci.multifunction_groups=1"
 * vm: board=pci stock=uio_pci_generic args=apart
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define HOST_DRIVER	"uio_pci_generic"

static const char *first = PCI_SLOT0, *second = PCI_SLOT1;
static bool together;

static const char *members(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/sys/class/vfio/%d/members", board_group(name));
	return path;
}

/* How often the device's folder is named in the members of @of's group. */
static int named(const char *of, const char *name)
{
	char path[PATH_MAX];

	if (!realpath(board_path(name, "."), path))
		tap_bail("%s: no such device", name);
	return file_count(members(of), path);
}

static void never_bound(void)
{
	int c = container_open(), group;

	board_take(first);
	group = group_open(first);
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "a mate without a driver is no obstacle");
	is(group_set(group, c), 0, "the group joins a container");
	is(board_bind(second, HOST_DRIVER) == 0, !together, "a host driver takes the mate");
	close(group);
	close(c);
	is(board_bind(second, HOST_DRIVER), 0, "when the group is closed it can");
	is(board_unbind(second), 0, "and is unbound again");
}

static void containers(void)
{
	int c1 = container_open(), c2 = container_open(), a, b;
	struct dev one, two;

	board_take(first);
	board_take(second);
	ok(board_group(first) != board_group(second), "each has a group of its own");
	if (!tap_kernel) {
		is(named(first, first), 1, "members of the first one's: itself");
		is(named(first, second), together, "and the second");
		is(named(second, first), together, "members of the second one's: the first");
		is(named(second, second), 1, "and itself");
	}
	a = group_open(first);
	b = group_open(second);
	is(group_set(a, c1), 0, "the first joins a container");
	is(group_set(b, c2), together ? -EBUSY : 0, "the second another");
	if (!together)
		is(group_unset(b), 0, "and leaves it");
	is(group_set(b, c1), 0, "the second joins the same");
	close(a);
	close(b);
	dev_open_in(&one, first, c1);
	dev_open_in(&two, second, c1);
	is(cfg_read(&one, PCI_VENDOR_ID, 4), hw_read(first, PCI_VENDOR_ID, 4), "the first works");
	is(cfg_read(&two, PCI_VENDOR_ID, 4), hw_read(second, PCI_VENDOR_ID, 4), "so does the second");
	dev_close(&one);
	dev_close(&two);
	close(c1);
	close(c2);
}

static void host(void)
{
	int c = container_open(), group;

	is(board_bind(second, HOST_DRIVER), 0, "a host driver takes the second");
	group = group_open(first);
	is(group_status(group), together ? 0 : VFIO_GROUP_FLAGS_VIABLE, "the first one's group");
	is(group_set(group, c), together ? -EPERM : 0, "joins a container");
	if (!together)
		is(group_unset(group), 0, "and leaves it");
	is(board_unbind(second), 0, "the host driver is unbound");
	is(group_set(group, c), 0, "now it does");
	is(board_bind(second, HOST_DRIVER) == 0, !together, "the host driver comes back");
	close(group);
	close(c);
	board_take(second);
}

/* Sets come and go with their groups. */
static void again(void)
{
	int c1 = container_open(), c2 = container_open(), a, b;

	for (int i = 0; i < 3; i++) {
		is(board_unbind(first), 0, "the first is unbound");
		board_take(first);
		a = group_open(first);
		b = group_open(second);
		is(group_set(b, c1), 0, "the second joins a container");
		is(group_set(a, c2), together ? -EBUSY : 0, "the first another");
		close(a);
		close(b);
		is(board_unbind(first), 0, "both are unbound");
		is(board_unbind(second), 0, "both");
		board_take(second);
		board_take(first);
	}
	close(c1);
	close(c2);
}

static void remove_first(void)
{
	is(file_write(board_path(first, "remove"), "1"), 0, "the first goes");
	ok(access(board_path(first, "."), F_OK), "it is no more");
}

static void find_first(void)
{
	is(file_write("/sys/bus/pci/rescan", "1"), 0, "it comes back");
	ok(!access(board_path(first, "."), F_OK), "it is there");
}

/* A function goes and comes back: more often than a slot has functions. */
static void gone(bool tree)
{
	int c = container_open(), group;

	for (int i = 0; i < 9; i++) {
		remove_first();
		group = group_open(second);
		is(group_set(group, c), tree ? -EPERM : 0, "the second joins a container");
		if (!tap_kernel)
			is(file_count(members(second), "/"), 1, "it is alone");
		close(group);
		find_first();
		if (i % 2)
			board_take(first);
		if (!tap_kernel)
			is(named(second, first), together, "members of the second one's: the first");
		group = group_open(second);
		is(group_set(group, c), 0, "the second joins a container");
		close(group);
	}
	board_take(first);
	close(c);
}

/* The same while the other one's owner is there. */
static void gone_owned(bool tree)
{
	struct dev d;

	for (int i = 0; i < 9; i++) {
		dev_open(&d, second);
		remove_first();
		is(group_status(d.group), 3, "the second one's group stays as it is");
		find_first();
		if (!tree) {
			is(board_bind(first, HOST_DRIVER) == 0, !together,
			   "a host driver takes it");
			board_unbind(first);
		}
		if (i % 2)
			board_take(first);
		is(cfg_read(&d, PCI_VENDOR_ID, 4), hw_read(second, PCI_VENDOR_ID, 4),
		   "the second works");
		dev_close(&d);
	}
	board_take(first);
}

static void one_group(void)
{
	together = true;
	for (int i = 0; i < 2; i++) {
		first = i ? PCI_TWIN1 : PCI_TWIN0;
		second = i ? PCI_TWIN0 : PCI_TWIN1;
		board_take(first);
		board_take(second);
		is(board_group(first), board_group(second), "both are in one group");
		gone(false);
		gone_owned(false);
	}
}

int main(int argc, char **argv)
{
	const char *how = "apart";

	if (argc > 1 && argv[1][0] != '-') {
		how = argv[1];
		argv++;
		argc--;
	}
	tap_start(argc, argv);
	together = !tap_kernel && strcmp(how, "apart");
	if (!strcmp(how, "tree")) {
		first = PCI_ROCKER;
		second = PCI_MEMORY;
	}
	if (!strcmp(how, "group")) {
		one_group();
		return tap_done();
	}
	if (!strcmp(how, "fresh"))
		never_bound();
	containers();
	if (strcmp(how, "tree"))
		host();
	again();
	gone(!tap_kernel && !strcmp(how, "tree"));
	gone_owned(!strcmp(how, "tree"));
	return tap_done();
}
