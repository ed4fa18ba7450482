// SPDX-License-Identifier: GPL-2.0-only
/*
 * narrow - 64-bit arguments on a 32-bit processor: no call forgets the upper half of one
 *
 * Most of what is refused here would do, were it not for that half.
 */
/* vm: iommu=no params="vfio.enable_unsafe_noiommu_mode=1" kernels="6.1-armhf" */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/evfio.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define MANY		"10600000.many"		/* tests/vm/armhf.dtso */
#define MANY_REGIONS	17
#define UP		(1ull << 32)
#define KERNEL		0xc0000000u		/* where it begins, for Debian's */
#define VECTORS		0xffff0000u		/* its exception vectors, which users can read */

static size_t page;

static int pin(int fd, uint64_t vaddr, uint64_t size, uint64_t mask)
{
	struct {
		struct evfio_device_pin arg;
		struct evfio_device_extent room;
	} told = { .arg = { .argsz = sizeof(told), .flags = VFIO_DMA_MAP_FLAG_READ,
			    .vaddr = vaddr, .size = size, .mask = mask } };
	struct evfio_device_unpin undo = { .argsz = sizeof(undo) };
	int ret = xioctl(fd, EVFIO_DEVICE_PIN, &told);

	undo.id = told.arg.id;
	return ret ? ret : xioctl(fd, EVFIO_DEVICE_UNPIN, &undo);
}

static void pins(int fd)
{
	const long pinned = pages_pinned();
	void *mem = mem_new(page);
	const uint64_t at = (uintptr_t)mem;

	is(pin(fd, at, page, 0), 0, "a page is pinned and unpinned");
	is(pin(fd, UP + at, page, 0), -EINVAL, "4 GiB up: EINVAL");
	is(pin(fd, (UP << 31) + at, page, 0), -EINVAL, "half of all up: EINVAL");
	is(pin(fd, at, UP, 0), -EINVAL, "4 GiB of it: EINVAL");
	is(pin(fd, at, UP + page, 0), -EINVAL, "and a page: EINVAL");
	for (int bit = 40; bit < 52; bit++)
		is(pin(fd, at, page + (1ull << bit), 0), -EINVAL, "and 2^%d bytes: EINVAL", bit);
	is(pin(fd, at, -at, 0), -EINVAL, "to 2^64: EINVAL");
	is(pin(fd, UP - page, 2 * page, 0), -EINVAL, "around 2^32: EINVAL");
	is(pin(fd, UP - page, page, 0), -EFAULT, "the last page there is: EFAULT");
	is(pin(fd, 0, UP, 0), -EFAULT, "all pages there are: EFAULT");
	is(pin(fd, KERNEL, page, 0), -EFAULT, "the kernel's memory: EFAULT");
	is(pin(fd, VECTORS, page, 0), -EFAULT, "what all can read of it: EFAULT");
	is(pin(fd, at, page, page - 1), -ERANGE, "a mask of a page: ERANGE");
	is(pin(fd, at, page, ~UP + page), 0, "one with an upper half");
	is(pages_pinned(), pinned, "nothing stays pinned");
	is(locked_kb(), 0, "nor locked");
	mem_free(mem, page);
}

static void positions(struct dev *d)
{
	uint32_t value;

	dev_write(d, EDU_REG_LIVE, 0);
	for (int bit = 20; bit < 63; bit++) {
		const off_t at = (off_t)1 << bit;

		value = 0x12345678;
		is(sys(pread(d->fd, &value, 4, at + EDU_REG_ID)), -EINVAL,
		   "pread at 2^%d: EINVAL", bit);
		is(sys(pwrite(d->fd, &value, 4, at + EDU_REG_LIVE)), -EINVAL,
		   "pwrite there: EINVAL");
		ok(mmap(NULL, page, PROT_READ, MAP_SHARED, d->fd, at) == MAP_FAILED,
		   "mmap there: fails");
	}
	is(value, 0x12345678, "nothing was read");
	is(dev_read(d, EDU_REG_LIVE), ~0u, "nor written");
}

/* To the kernel an offset of mmap() is the number of a page, which has 32 bits. */
static void pages(int fd)
{
	static const struct {
		uint32_t at;
		size_t pages;
		int error;
	} bad[] = {
		{ 1u << 20, 1, EINVAL },
		{ (1u << 28) - 1, 1, EINVAL },
		{ (1u << 28) - 1, 2, EINVAL },
		{ 1u << 28, 1, EINVAL },
		{ ~1u, 1, EINVAL },
		{ ~0u, 1, EOVERFLOW },
		{ ~0u, 2, EOVERFLOW },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		mmap(NULL, bad[i].pages * page, PROT_READ, MAP_SHARED, fd,
		     (off_t)bad[i].at * (off_t)page);
		is(errno, bad[i].error, "mmap of %zu from page 0x%x on: error %d", bad[i].pages,
		   bad[i].at, bad[i].error);
	}
}

/* Region 16 is where mmap() ends. */
static void many(void)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint64_t value;
	struct dev d;
	void *mem;

	dev_open(&d, MANY);
	for (info.index = 0; info.index < MANY_REGIONS; info.index++) {
		is(xioctl(d.fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0, "region %u", info.index);
		is(info.offset, (uint64_t)info.index << 40, "its offset");
		is(!(info.flags & VFIO_REGION_INFO_FLAG_MMAP), info.index >= 16,
		   "whether it can be mapped");
		mem = mmap(NULL, page, PROT_READ, MAP_SHARED, d.fd, (off_t)info.offset);
		is(mem == MAP_FAILED, info.index >= 16, "it is as it says");
		if (mem != MAP_FAILED)
			munmap(mem, page);
		is(sys(pread(d.fd, &value, 8, (off_t)info.offset)), -EINVAL,
		   "reg-io-width = 8, but the processor has no such access: EINVAL");
		is(sys(pwrite(d.fd, &value, 8, (off_t)info.offset)), -EINVAL, "nor to write");
	}
	dev_close(&d);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	dev_open(&d, EDU0);
	pins(d.fd);
	positions(&d);
	pages(d.fd);
	dev_close(&d);
	many();
	return tap_done();
}
