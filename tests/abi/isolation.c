// SPDX-License-Identifier: GPL-2.0-only
/*
 * isolation - devices that the board says must be owned together, though the IOMMU could tell them
 * apart
 *
 * The set "pair" is 10200000.edu and 10300000.edu. Each has an IOMMU group and a /dev/vfio/N of its
 * own.
 */
/* vm: timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

static size_t page;

/* Where the device's folder really is: a line of "members". */
static const char *real_path(const char *name)
{
	static char path[PATH_MAX];

	if (!realpath(board_path(name, "."), path))
		tap_bail("%s: no such device", name);
	return path;
}

static const char *members(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/sys/class/vfio/%d/members", board_group(name));
	return path;
}

/* Before anything else: the other member has never had a driver, maybe not even an IOMMU group. */
static void member_never_bound(void)
{
	int c = container_open(), group;

	board_take(EDU2);
	group = group_open(EDU2);
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE,
	   "a member that never had a driver is no obstacle");
	is(group_set(group, c), 0, "the group joins a container");
	ok(board_bind(EDU3, HOST) != 0, "then no host driver binds to that member");
	ok(!*board_driver(EDU3), "it stays without a driver");
	close(group);
	close(c);
	is(board_bind(EDU3, HOST), 0, "when the group is closed a host driver can");
	is(board_unbind(EDU3), 0, "and is unbound again");
}

static void listed(void)
{
	board_take(EDU0);
	board_take(EDU2);
	board_take(EDU3);
	ok(board_group(EDU2) != board_group(EDU3), "the two have IOMMU groups of their own");
	is(file_count(members(EDU2), "/"), 2, "members of the first one's group: two lines");
	is(file_count(members(EDU2), real_path(EDU2)), 1, "... one is itself");
	is(file_count(members(EDU2), real_path(EDU3)), 1, "... the other is the second");
	is(file_count(members(EDU3), "/"), 2, "members of the second one's group: two lines");
	is(file_count(members(EDU3), real_path(EDU2)), 1, "... one is the first");
	is(file_count(members(EDU3), real_path(EDU3)), 1, "... the other is itself");
	is(file_count(members(EDU0), "/"), 1, "a device of no set is the only member of its group");
	is(file_count(members(EDU0), real_path(EDU0)), 1, "... itself");
}

static void held_by_host(void)
{
	uint8_t *mem = mem_new(page);
	int c = container_open(), group, other;
	struct dev d;

	board_take(EDU2);
	is(board_bind(EDU3, HOST), 0, "a host driver takes the second");
	group = group_open(EDU2);
	ok(group >= 0, "the first one's group opens");
	is(group_status(group), 0, "it is not viable");
	ok(!strcmp(fdinfo_text(group, "viable"), "no"), "its fdinfo says so too");
	is(group_set(group, c), -EPERM, "SET_CONTAINER: EPERM");
	is(group_status(group), 0, "it is still without a container");
	is(file_count(members(EDU2), real_path(EDU3)), 1, "members tells which device to look at");
	ok(!strcmp(board_driver(EDU3), HOST), "whose driver is the host's");
	dev_open(&d, EDU0);
	is(dma_map(d.container, mem, IOVA, page, RW), 0, "a device outside the set is usable");
	dev_close(&d);

	is(board_unbind(EDU3), 0, "the host driver is unbound");
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "now it is viable");
	is(group_set(group, c), 0, "SET_CONTAINER");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), 0, "SET_IOMMU");
	other = device_fd(group, EDU2);
	ok(other >= 0, "GET_DEVICE_FD");
	ok(board_bind(EDU3, HOST) != 0, "while the set is owned, the host driver cannot come back");
	ok(!*board_driver(EDU3), "the second stays without a driver");
	close(other);
	close(group);
	close(c);
	is(board_bind(EDU3, HOST), 0, "when it is owned no longer, it can");
	is(board_unbind(EDU3), 0, "and is unbound again");
	mem_free(mem, page);
}

static void one_container(void)
{
	uint8_t *mem = mem_new(2 * page);
	int c1 = container_open(), c2 = container_open(), a, b;
	struct dev first, second;

	board_take(EDU2);
	board_take(EDU3);
	a = group_open(EDU2);
	b = group_open(EDU3);
	ok(a >= 0 && b >= 0, "both groups open");
	is(group_set(a, c1), 0, "the first joins a container");
	is(group_set(b, c2), -EBUSY, "the second into another container: EBUSY");
	is(group_status(b), VFIO_GROUP_FLAGS_VIABLE, "it is viable all the same");
	is(group_set(b, c1), 0, "into the same container");
	is(group_unset(a), 0, "the first leaves");
	is(group_set(a, c2), -EBUSY, "while the second is in, it cannot go elsewhere: EBUSY");
	is(group_unset(b), 0, "the second leaves");
	is(group_set(a, c2), 0, "now the first can go elsewhere");
	is(group_set(b, c1), -EBUSY, "and the second no longer to where it was: EBUSY");
	is(group_set(b, c2), 0, "but to where the first is");
	close(a);
	close(b);

	dev_open_in(&first, EDU2, c1);
	dev_open_in(&second, EDU3, c1);
	is(dma_map(c1, mem, IOVA, 2 * page, RW), 0, "both in one container: a mapping");
	mem_fill(mem, page, 1);
	memset(mem + page, 0, page);
	is(edu_load(&first, IOVA, EDU_BUFFER_MAX), 0, "the first reads");
	is(edu_store(&first, IOVA + page, EDU_BUFFER_MAX), 0, "and writes");
	mem_fill(mem, page, 2);
	is(edu_load(&second, IOVA + page, EDU_BUFFER_MAX), 0, "the second reads that");
	is(edu_store(&second, IOVA, EDU_BUFFER_MAX), 0, "and writes");
	ok(mem_is(mem, EDU_BUFFER_MAX, 1), "byte for byte");
	dev_close(&first);
	is(edu_store(&second, IOVA, EDU_BUFFER_MAX), 0, "the first is closed, the second goes on");
	dev_close(&second);
	close(c1);
	close(c2);
	mem_free(mem, 2 * page);
}

/* Killed or closed in any way, a user never leaves the set owned. */
static int opens(void *arg)
{
	struct dev a, b;
	int c = container_open();

	dev_open_in(&a, EDU2, c);
	dev_open_in(&b, EDU3, c);
	return arg ? 0 : 1;
}

static void released(void)
{
	int c = container_open(), group;

	is(in_child(opens, &c), 0, "a process uses both and ends without closing anything");
	group = group_open(EDU3);
	is(group_set(group, c), 0, "the second can go to another container");
	close(group);
	group = group_open(EDU2);
	is(group_set(group, c), 0, "and then the first");
	close(group);
	close(c);
	is(board_unbind(EDU2), 0, "the first is unbound");
	is(board_bind(EDU2, HOST), 0, "a host driver takes it");
	group = group_open(EDU3);
	is(group_status(group), 0, "then the second is not viable");
	close(group);
	is(board_unbind(EDU2), 0, "and is unbound again");
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (tap_kernel) {
		tap_skip("the kernel has no isolation groups");
		return tap_done();
	}
	member_never_bound();
	listed();
	held_by_host();
	one_container();
	released();
	return tap_done();
}
