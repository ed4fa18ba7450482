// SPDX-License-Identifier: GPL-2.0-only
/*
 * region - a device's registers by read, write and mmap
 *
 * edu answers 4-byte accesses only (8 bytes from 0x80 on); a narrower one is an external abort. So
 * only a device whose node has reg-io-width, which evfio honours, is asked for other widths here.
 */
/* vm: timeout=120 */
/* vm: timeout=120 iommu=no params="vfio.enable_unsafe_noiommu_mode=1" kernels="6.1-armhf" */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

/* A register that keeps what is written to it, readable too: the DMA source. */
#define SCRATCH EDU_REG_DMA_SRC

static void by_pread(struct dev *d)
{
	uint32_t value = 0;

	is(pread(d->fd, &value, 4, EDU_REG_ID), 4, "%s: pread of 4 bytes", d->name);
	is(value, EDU_ID, "%s: they are the identification", d->name);
	value = 0x12345678;
	is(pwrite(d->fd, &value, 4, EDU_REG_LIVE), 4, "%s: pwrite of 4 bytes", d->name);
	value = 0;
	is(pread(d->fd, &value, 4, EDU_REG_LIVE), 4, "%s: pread of the liveness register", d->name);
	is(value, ~0x12345678u, "%s: it has what was written, inverted", d->name);
	is(dev_read(d, EDU_REG_LIVE), ~0x12345678u, "%s: mmap shows the same", d->name);
	dev_write(d, EDU_REG_LIVE, 0xcafe0001);
	is(pread(d->fd, &value, 4, EDU_REG_LIVE), 4, "%s: pread after a write by mmap", d->name);
	is(value, ~0xcafe0001u, "%s: pread shows what mmap wrote", d->name);
	is(pread(d->fd, &value, 0, EDU_REG_ID), 0, "%s: pread of nothing reads nothing", d->name);
	is(pwrite(d->fd, &value, 0, EDU_REG_ID), 0,
	   "%s: pwrite of nothing writes nothing", d->name);
}

static void long_access(struct dev *d)
{
	uint32_t in[4] = { 0 }, out[2] = { 0x00abcdef, 0 };

	is(pread(d->fd, in, 12, EDU_REG_ID), 12, "%s: one pread of three registers", d->name);
	is(in[0], EDU_ID, "%s: the first is the identification", d->name);
	is(in[1], dev_read(d, EDU_REG_LIVE), "%s: the second is the liveness register", d->name);
	is(in[2], dev_read(d, EDU_REG_FACT), "%s: the third is the factorial", d->name);
	is(in[3], 0, "%s: nothing is written behind them", d->name);
	is(pwrite(d->fd, out, 4, SCRATCH), 4, "%s: pwrite of a DMA register", d->name);
	is(dev_read(d, SCRATCH), 0x00abcdef, "%s: it arrived", d->name);
}

static void widths(struct dev *d)
{
	uint64_t value = 0;
	uint32_t live = dev_read(d, EDU_REG_LIVE);

	if (tap_kernel)
		return;		/* where each of these stops the kernel */
	is(pread(d->fd, &value, 1, EDU_REG_ID), -1, "%s: pread of 1 byte fails", d->name);
	is(errno, EINVAL, "%s: reg-io-width = 4 makes it EINVAL", d->name);
	is(sys(pread(d->fd, &value, 2, EDU_REG_ID)), -EINVAL, "%s: 2 bytes: EINVAL", d->name);
	is(sys(pread(d->fd, &value, 3, EDU_REG_ID)), -EINVAL, "%s: 3 bytes: EINVAL", d->name);
	is(sys(pread(d->fd, &value, 6, EDU_REG_ID)), -EINVAL, "%s: 6 bytes: EINVAL", d->name);
	is(sys(pread(d->fd, &value, 4, EDU_REG_ID + 1)), -EINVAL,
	   "%s: 4 bytes at 1: EINVAL", d->name);
	is(sys(pread(d->fd, &value, 4, EDU_REG_ID + 2)), -EINVAL,
	   "%s: 4 bytes at 2: EINVAL", d->name);
	is(value, 0, "%s: none of them left a byte", d->name);
	is(sys(pwrite(d->fd, &value, 1, EDU_REG_LIVE)), -EINVAL, "%s: pwrite of 1 byte: EINVAL",
	   d->name);
	is(sys(pwrite(d->fd, &value, 2, EDU_REG_LIVE + 2)), -EINVAL,
	   "%s: pwrite of 2 bytes: EINVAL",
	   d->name);
	is(sys(pwrite(d->fd, &value, 4, EDU_REG_LIVE + 2)), -EINVAL, "%s: pwrite at 6: EINVAL",
	   d->name);
	is(dev_read(d, EDU_REG_LIVE), live, "%s: none of them wrote", d->name);
	is(pread(d->fd, &value, 8, EDU_REG_ID), 8, "%s: 8 bytes are two accesses of 4", d->name);
	is((uint32_t)value, EDU_ID, "%s: the first of them", d->name);
	is((uint32_t)(value >> 32), live, "%s: and the second", d->name);
}

static void end_of_region(struct dev *d)
{
	uint32_t in[4] = { 1, 2, 3, 4 };

	is(sys(pread(d->fd, in, 4, EDU_SIZE)), -EINVAL, "%s: pread at the end: EINVAL", d->name);
	is(sys(pwrite(d->fd, in, 4, EDU_SIZE)), -EINVAL, "%s: pwrite at the end: EINVAL", d->name);
	is(sys(pread(d->fd, in, 4, EDU_SIZE + 0x1000)), -EINVAL, "%s: pread behind it: EINVAL",
	   d->name);
	is(sys(pread(d->fd, in, 4, (off_t)1 << 40)), -EINVAL,
	   "%s: pread of region 1: EINVAL", d->name);
	is(sys(pread(d->fd, in, 4, (off_t)0x7fffff << 40)), -EINVAL,
	   "%s: pread of the last thinkable region: EINVAL", d->name);
	is(pread(d->fd, in, sizeof(in), EDU_SIZE - 8), 8, "%s: pread across the end is shortened",
	   d->name);
	ok(in[2] == 3 && in[3] == 4, "%s: the rest of the buffer stays", d->name);
	is(pwrite(d->fd, in, sizeof(in), EDU_SIZE - 4), 4, "%s: pwrite across the end is shortened",
	   d->name);
}

static void position(struct dev *d)
{
	uint32_t value = 0;

	is(read(d->fd, &value, 4), 4, "%s: read begins at position 0", d->name);
	is(value, EDU_ID, "%s: there is the identification", d->name);
	if (!tap_kernel) {
		dev_write(d, EDU_REG_LIVE, 0x0f0f0f0f);
		is(read(d->fd, &value, 4), 4, "%s: read again", d->name);
		is(value, ~0x0f0f0f0fu, "%s: the position has advanced", d->name);
	}
	is(pread(d->fd, &value, 4, EDU_REG_ID), 4, "%s: pread has a position of its own", d->name);
	is(value, EDU_ID, "%s: which is the one asked for", d->name);
	is(sys(lseek(d->fd, 0, SEEK_SET)), -ESPIPE, "%s: lseek: ESPIPE", d->name);
}

static void mapping(struct dev *d)
{
	long page = sysconf(_SC_PAGESIZE);
	volatile uint32_t *one, *last, *ro;

	one = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	ok(one != MAP_FAILED, "%s: mmap of one page", d->name);
	is(one[0], EDU_ID, "%s: it shows the registers", d->name);
	one[EDU_REG_LIVE / 4] = 0x600df00d;
	is(dev_read(d, EDU_REG_LIVE), ~0x600df00du, "%s: two mappings show one device", d->name);
	munmap((void *)one, (size_t)page);

	last = mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, d->fd, EDU_SIZE - page);
	ok(last != MAP_FAILED, "%s: mmap of the last page", d->name);
	munmap((void *)last, (size_t)page);

	ro = mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, d->fd, 0);
	ok(ro != MAP_FAILED && ro[0] == EDU_ID, "%s: mmap for reading only", d->name);
	munmap((void *)ro, (size_t)page);
}

static int in_a_fork(void *arg)
{
	struct dev *d = arg;

	return dev_read(d, EDU_REG_ID) == EDU_ID ? 0 : 1;
}

/* A mapping outlives the descriptors, and holds the device. */
static void outlive(const char *name)
{
	struct dev d;
	int group;

	dev_open(&d, name);
	close(d.fd);
	close(d.group);
	close(d.container);
	is(dev_read(&d, EDU_REG_ID), EDU_ID,
	   "%s: the mapping works with every descriptor closed", name);
	is(group_open(name), -EBUSY, "%s: and keeps the group busy", name);
	munmap((void *)d.regs, d.size);
	group = group_open(name);
	ok(group >= 0, "%s: unmapped, the group can be opened again", name);
	close(group);
}

/* Nobody else in the kernel gets the registers while they are open. */
static void claimed(const char *name)
{
	int before = file_count("/proc/iomem", name);
	struct dev d;

	dev_open(&d, name);
	is(file_count("/proc/iomem", name), before + 1, "%s: its registers are claimed", name);
	dev_close(&d);
	is(file_count("/proc/iomem", name), before, "%s: closed, they are not", name);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	dev_open(&d, EDU0);
	by_pread(&d);
	long_access(&d);
	widths(&d);
	end_of_region(&d);
	position(&d);
	mapping(&d);
	is(in_child(in_a_fork, &d), 0, "%s: a forked child shares the mapping", d.name);
	dev_close(&d);
	dev_open(&d, EDU1);
	by_pread(&d);
	long_access(&d);
	dev_close(&d);
	outlive(EDU0);
	if (!tap_kernel)
		claimed(EDU0);
	return tap_done();
}
