// SPDX-License-Identifier: GPL-2.0-only
/*
 * odd - devices odd in one way each (tests/vm/odd.dtso): registers of every width and size,
 * members of isolation groups that are not there
 */
/* vm: timeout=120 overlay="odd" alone=yes */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/evfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define RAM	"10401000.ram"		/* a page, 0x100 bytes and nothing; any width */
#define TWIN	"10405000.twin"		/* a page, nothing, and ram's page */
#define WIDE	"10404000.wide"		/* reg-io-width = 8; in a set with BARE */
#define THREE	"10407000.three"	/* reg-io-width = 3 */
#define SIXTEEN	"10408000.sixteen"	/* reg-io-width = 16 */
#define BARE	"10409000.bare"		/* no IOMMU */
#define HAUNTED	"1040a000.haunted"	/* in a set with a node that is no device */
#define PICKY	"1040d000.picky"	/* device addresses below LOW_END are not for it */
#define WAITING	"1040c000.waiting"	/* its interrupt controller never comes */
#define FAR	"1040e000.far"		/* has an MSI controller, which has no vectors for it */

#define REGION(n) ((off_t)(n) << 40)

#define LOW_END	0x8200000ull

static size_t page;

/* Fill @len bytes at @off of the first region with 0xee, and write @count of them. */
static void partly(struct dev *d, off_t off, size_t count)
{
	const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	uint8_t got[32], want[32];

	memset((void *)d->regs, 0xee, sizeof(got));
	memset(want, 0xee, sizeof(want));
	memcpy(want + off, data, count);
	is(pwrite(d->fd, data, count, off), count, "%s: pwrite of %zu bytes at %d", d->name, count,
	   (int)off);
	memcpy(got, (void *)d->regs, sizeof(got));
	ok(!memcmp(got, want, sizeof(want)), "... and just these have changed");
	memset(got, 0, sizeof(got));
	is(pread(d->fd, got, count, off), count, "%s: pread of them", d->name);
	ok(!memcmp(got, data, count), "... as they were written");
}

static void every_width(struct dev *d)
{
	uint8_t in[300], want[300];

	partly(d, 0, 1);
	partly(d, 3, 1);
	partly(d, 2, 2);
	partly(d, 1, 2);
	partly(d, 1, 3);
	partly(d, 4, 4);
	partly(d, 2, 6);
	partly(d, 1, 7);
	partly(d, 8, 8);
	partly(d, 5, 15);
	for (size_t i = 0; i < sizeof(want); i++) {
		want[i] = (uint8_t)(i * 7);
		d->regs[0x101 + i] = want[i];
	}
	is(pread(d->fd, in, sizeof(in), 0x101), sizeof(in),
	   "%s: pread of many bytes, from an odd address", d->name);
	ok(!memcmp(in, want, sizeof(in)), "... is what is there");
}

static void other_regions(struct dev *d)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 1 };
	uint8_t out[8] = { 8, 7, 6, 5, 4, 3, 2, 1 }, in[8] = { 0 };

	is(xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0, "region 1: GET_REGION_INFO");
	is(info.size, 0x100, "it has 256 bytes");
	is(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
	   "which can be read and written, not mapped");
	ok(mmap(NULL, page, PROT_READ, MAP_SHARED, d->fd, REGION(1)) == MAP_FAILED &&
	   errno == EINVAL, "mmap: EINVAL");
	is(pwrite(d->fd, out, 8, REGION(1) + 0xf8), 8, "pwrite of its last 8 bytes");
	is(pread(d->fd, in, 8, REGION(1) + 0xf8), 8, "pread of them");
	ok(!memcmp(in, out, 8), "as they were written");
	is(pread(d->fd, in, 8, REGION(1) + 0xff), 1, "pread across its end is shortened");
	is(in[0], 1, "to the last byte");

	info.index = 2;
	is(xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0, "region 2: GET_REGION_INFO");
	is(info.size, 0, "it is empty");
	is(sys(pread(d->fd, in, 1, REGION(2))), -EINVAL, "pread: EINVAL");
	is(sys(pwrite(d->fd, in, 1, REGION(2))), -EINVAL, "pwrite: EINVAL");
	ok(mmap(NULL, page, PROT_READ, MAP_SHARED, d->fd, REGION(2)) == MAP_FAILED &&
	   errno == EINVAL, "mmap: EINVAL");
	ok(mmap(NULL, page, PROT_READ, MAP_PRIVATE, d->fd, 0) == MAP_FAILED && errno == EINVAL,
	   "a private mmap of region 0: EINVAL");
}

static void eight_bytes(void)
{
	uint64_t in[2] = { 0 }, out[2] = { 0x0102030405060708, 0x1112131415161718 };
	struct dev d;

	if (tap_kernel)
		return;		/* which cannot have the group, for its mate has no IOMMU */
	dev_open(&d, WIDE);
	is(pwrite(d.fd, out, 16, 16), 16, "%s: pwrite of 16 bytes", d.name);
	is(*(volatile uint64_t *)(d.regs + 16), out[0], "the first 8 arrived");
	is(*(volatile uint64_t *)(d.regs + 24), out[1], "the second too");
	is(pread(d.fd, in, 16, 16), 16, "pread of them");
	ok(in[0] == out[0] && in[1] == out[1], "as they were written");
	is(sys(pread(d.fd, in, 4, 16)), -EINVAL, "pread of 4 bytes: EINVAL");
	is(sys(pread(d.fd, in, 8, 20)), -EINVAL, "pread at 4 modulo 8: EINVAL");
	is(sys(pwrite(d.fd, in, 12, 16)), -EINVAL, "pwrite of 12 bytes: EINVAL");
	is(*(volatile uint64_t *)(d.regs + 16), out[0], "which wrote nothing");
	dev_close(&d);
}

static void bad_width(const char *name)
{
	if (tap_kernel)
		return;		/* which does not look */
	ok(board_bind(name, "vfio-platform") != 0, "%s: such a reg-io-width is refused", name);
	ok(!*board_driver(name), "it stays without a driver");
	ok(file_count("/proc/iomem", name) <= 0, "and nothing is claimed");
}

/* One of its regions is another open device's. */
static void same_memory(struct dev *ram)
{
	int c, group, fd;

	if (tap_kernel)
		return;		/* which claims nothing */
	c = container_open();
	board_take(TWIN);
	group = group_open(TWIN);
	is(group_set(group, c), 0, "%s: SET_CONTAINER", TWIN);
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), 0, "SET_IOMMU");
	is(device_fd(group, TWIN), -EBUSY, "GET_DEVICE_FD while its memory is in use: EBUSY");
	is(file_count("/proc/iomem", TWIN), 0, "it has not kept its other region");
	dev_close(ram);
	fd = device_fd(group, TWIN);
	ok(fd >= 0, "when that is closed: a device fd");
	is(file_count("/proc/iomem", TWIN), 2, "with both its regions");
	close(fd);
	close(group);
	close(c);
}

static int members_of(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/vfio/%d/members", board_group(name));
	return file_count(path, "/");
}

/* A member that has no IOMMU does no harm while no driver moves it. */
static void no_iommu(void)
{
	int c = container_open(), group;

	ok(board_bind(BARE, "vfio-platform") != 0, "%s: no IOMMU, so VFIO refuses it", BARE);
	ok(!*board_driver(BARE), "it stays without a driver");
	if (tap_kernel)
		return;
	board_take(WIDE);
	is(members_of(WIDE), 2, "%s: two members; the one that is switched off is none", WIDE);
	group = group_open(WIDE);
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "viable while %s has no driver", BARE);
	is(group_set(group, c), 0, "SET_CONTAINER");
	is(group_unset(group), 0, "UNSET_CONTAINER");
	is(board_bind(BARE, HOST), 0, "a host driver takes %s", BARE);
	is(group_status(group), 0, "it is not viable any more");
	is(group_set(group, c), -EPERM, "SET_CONTAINER: EPERM");
	is(board_unbind(BARE), 0, "the host driver lets go");
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "viable again");
	is(group_set(group, c), 0, "SET_CONTAINER again");
	close(group);
	close(c);
}

static void no_device(void)
{
	int c, group;

	if (tap_kernel)
		return;
	c = container_open();
	board_take(HAUNTED);
	is(members_of(HAUNTED), 1, "%s: its mate is not there to be listed", HAUNTED);
	group = group_open(HAUNTED);
	is(group_status(group), 0, "not viable: nobody knows what the mate will be");
	is(group_set(group, c), -EPERM, "SET_CONTAINER: EPERM");
	is(device_fd(group, HAUNTED), -EINVAL, "and so no device");
	close(group);
	close(c);
	is(board_unbind(HAUNTED), 0, "unbound");
}

static uint64_t first_address(int container, uint32_t *count)
{
	const struct vfio_iommu_type1_info_cap_iova_range *ranges =
		iommu_cap(iommu_info(container), VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);

	*count = ranges ? ranges->nr_iovas : 0;
	return *count ? ranges->iova_ranges[0].start : ~0ull;
}

/* A group that joins may take addresses away that others have; not those that are in use. */
static void reserved_addresses(void)
{
	uint8_t *mem = mem_new(page);
	uint32_t before, count;
	struct dev d, picky;
	int c, group;

	dev_open(&picky, PICKY);
	if (first_address(picky.container, &count) != LOW_END) {
		tap_note("this kernel knows no iommu-addresses");
		dev_close(&picky);
		mem_free(mem, page);
		return;
	}
	is(count, 1, "%s: one range of device addresses, above the reserved ones", PICKY);
	is(dma_map(picky.container, mem, LOW_END - page, page, RW), -EINVAL,
	   "map the last reserved page: EINVAL");
	is(dma_map(picky.container, mem, LOW_END, page, RW), 0, "map the page behind it");
	group = group_open(RAM);
	is(group_set(group, picky.container), 0, "%s, which needs none of that, joins", RAM);
	is(first_address(picky.container, &count), LOW_END, "the addresses are the same");
	is(count, 1, "one range");
	close(group);
	dev_close(&picky);

	c = container_open();
	dev_open_in(&d, RAM, c);
	is(first_address(c, &before), 0, "%s: its device addresses begin at 0", RAM);
	is(dma_map(c, mem, IOVA, page, RW), 0, "map a page low");
	group = group_open(PICKY);
	is(group_set(group, c), -EINVAL, "SET_CONTAINER of a group that cannot have it: EINVAL");
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "it is without a container");
	is(first_address(c, &count), 0, "the addresses are as before");
	is(count, before, "all of them");
	is(dma_unmap(c, IOVA, page), page, "unmap the page");
	is(group_set(group, c), 0, "then it can join");
	is(first_address(c, &count), LOW_END, "and the low addresses are gone");
	is(count, before - 1, "a whole range of them");
	is(dma_map(c, mem, IOVA, page, RW), -EINVAL, "map a page low: EINVAL");
	is(group_unset(group), 0, "it leaves");
	is(first_address(c, &count), 0, "and the low addresses are back");
	is(dma_map(c, mem, IOVA, page, RW), 0, "map a page low");
	close(group);
	dev_close(&d);
	close(c);
	mem_free(mem, page);
}

static void no_interrupt_controller(void)
{
	ok(board_bind(WAITING, "vfio-platform") != 0,
	   "%s: not bound before its interrupt controller is there", WAITING);
	is(file_count("/sys/kernel/debug/devices_deferred", WAITING), 1, "it waits for it");
}

static void no_vectors(void)
{
	struct evfio_device_msi msi = { .argsz = sizeof(msi), .count = 4 };
	int efd = efd_new(0);
	struct dev d;

	if (tap_kernel)
		return;		/* which has no MSI */
	dev_open(&d, FAR);
	is(xioctl(d.fd, EVFIO_DEVICE_MSI, &msi), 0, "%s: MSI is its first index", FAR);
	for (int i = 0; i < 3; i++)
		is(irq_trigger(d.fd, 0, efd), -ENOMEM, "but there is no vector: ENOMEM");
	is(irq_count(d.fd, 0), 4, "the index stays");
	is(irq_disable(d.fd, 0), -EINVAL, "off as it is: EINVAL");
	dev_close(&d);
	close(efd);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (page != 4096) {
		tap_skip("these devices are made for pages of 4 KiB");
		return tap_done();
	}
	dev_open(&d, RAM);
	every_width(&d);
	other_regions(&d);
	same_memory(&d);
	if (d.fd >= 0)
		dev_close(&d);
	eight_bytes();
	bad_width(THREE);
	bad_width(SIXTEEN);
	no_iommu();
	no_device();
	reserved_addresses();
	no_interrupt_controller();
	no_vectors();
	return tap_done();
}
