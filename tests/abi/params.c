// SPDX-License-Identifier: GPL-2.0-only
/*
 * params - what the modules' parameters change, and that nothing else does
 */
/* vm: timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define PLATFORM "/sys/module/vfio_platform/parameters/"
#define TYPE1	 "/sys/module/vfio_iommu_type1/parameters/"

static size_t page;

static void reset_required(void)
{
	is(board_unbind(EDU0), 0, "unbound");
	is(board_unbind(EDU1), 0, "unbound");
	is(file_write(PLATFORM "reset_required", "1"), 0, "reset_required = 1");
	ok(board_bind(EDU0, "vfio-platform") != 0, "a device without a reset is refused");
	ok(!*board_driver(EDU0), "it stays without a driver");
	is(board_bind(EDU1, "vfio-platform"), 0, "a device with a reset line is not");
	is(file_write(PLATFORM "reset_required", "0"), 0, "reset_required = 0");
	is(board_bind(EDU0, "vfio-platform"), 0, "now the first is taken too");
}

static void mmap_only(void)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint32_t value = 0;
	struct dev d;

	is(board_unbind(EDU0), 0, "unbound");
	is(file_write(PLATFORM "mmap_only", "1"), 0, "mmap_only = 1");
	dev_open(&d, EDU0);
	is(file_write(PLATFORM "mmap_only", "0"), 0, "mmap_only = 0, for what is bound later");
	is(dev_read(&d, EDU_REG_ID), EDU_ID, "the registers are there by mmap");
	is(sys(pread(d.fd, &value, 4, EDU_REG_ID)), -EINVAL, "pread: EINVAL");
	is(sys(pwrite(d.fd, &value, 4, EDU_REG_LIVE)), -EINVAL, "pwrite: EINVAL");
	is(xioctl(d.fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0, "GET_REGION_INFO");
	is(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
	   VFIO_REGION_INFO_FLAG_MMAP, "the region is still to be read, written and mapped");
	dev_close(&d);
	is(board_unbind(EDU0), 0, "unbound");
	dev_open(&d, EDU0);
	is(pread(d.fd, &value, 4, EDU_REG_ID), 4, "bound again: pread works");
	is(value, EDU_ID, "and reads");
	dev_close(&d);
}

/* Page by page memory takes the same, only more slowly. */
static void disable_hugepages(void)
{
	const size_t size = 4 << 20;
	uint8_t *mem = mem_new(size);
	long pinned = pages_pinned();
	struct dev d;

	is(file_write(TYPE1 "disable_hugepages", "1"), 0, "disable_hugepages = 1");
	dev_open(&d, EDU0);
	is(dma_map(d.container, mem, IOVA, size, RW), 0, "map 4 MiB");
	is(file_write(TYPE1 "disable_hugepages", "0"), 0, "disable_hugepages = 0");
	is(pages_pinned() - pinned, size / page, "each of its pages is pinned once");
	mem_fill(mem, page, 1);
	is(edu_load(&d, IOVA, EDU_BUFFER_MAX), 0, "the device reads its first page");
	is(edu_store(&d, IOVA + size - page, EDU_BUFFER_MAX), 0, "and writes its last");
	ok(mem_is(mem + size - page, EDU_BUFFER_MAX, 1), "byte for byte");
	is(dma_unmap(d.container, IOVA, size), size, "unmap");
	is(pages_pinned(), pinned, "nothing stays pinned");
	dev_close(&d);
	mem_free(mem, size);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (tap_kernel) {
		tap_skip("the kernel's parameters are others");
		return tap_done();
	}
	board_take(EDU0);
	board_take(EDU1);
	reset_required();
	mmap_only();
	disable_hugepages();
	return tap_done();
}
