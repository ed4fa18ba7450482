// SPDX-License-Identifier: GPL-2.0-only
/*
 * differences - where evfio is meant to differ from the kernel's own VFIO (docs/differences.md)
 *
 * Those rows that the differential tester excuses, and that a call's answer shows. Each test point
 * has both answers, so that with --kernel it says whether the table is right about the kernel.
 */
/* vm: timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

static size_t page;

static void reset(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct dev d;

	dev_open(&d, EDU1);
	is(xioctl(d.fd, VFIO_DEVICE_RESET, NULL), tap_kernel ? -EINVAL : 0,
	   "RESET of a device with a reset line");
	is(xioctl(d.fd, VFIO_DEVICE_GET_INFO, &info), 0, "GET_INFO");
	is(!!(info.flags & VFIO_DEVICE_FLAGS_RESET), !tap_kernel, "which has FLAGS_RESET");
	dev_close(&d);
}

static void position(struct dev *d)
{
	uint32_t value = 0;

	dev_write(d, EDU_REG_LIVE, 0x0f0f0f0f);
	is(read(d->fd, &value, 4), 4, "read");
	is(value, EDU_ID, "gives the first register");
	is(read(d->fd, &value, 4), 4, "read again");
	is(value, tap_kernel ? EDU_ID : ~0x0f0f0f0fu, "gives the next one");
}

static void interrupts(struct dev *d)
{
	int efd = efd_new(0), null = open("/dev/null", O_RDWR);

	is(file_count("/proc/interrupts", EDU0) > 0, tap_kernel,
	   "/proc/interrupts has no line for a device without a trigger");
	is(irq_trigger(d->fd, 0, efd), 0, "a trigger");
	is(file_count("/proc/interrupts", EDU0), 1, "then it has");
	is(irq_trigger(d->fd, 0, null), -EINVAL, "another in its place that is no eventfd: EINVAL");
	edu_raise(d, 1);
	is(efd_take(efd, tap_kernel ? QUIET : SOON), !tap_kernel, "the old one is still there");
	edu_ack(d);
	is(irq_unmask(d->fd, 0), 0, "unmask");
	/* The kernel would never come out of its handlers. */
	if (!tap_kernel) {
		is(irq_set(d->fd, 0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, efd),
		   0, "the trigger is to unmask its own line");
		edu_raise(d, 1);
		is(efd_take(efd, SOON), 1, "a line that stays high is one event");
		is(efd_take(efd, QUIET), 0, "and masked");
		edu_ack(d);
		is(irq_unmask(d->fd, 0), 0, "unmask");
	}
	is(irq_trigger(d->fd, 0, -1), 0, "the trigger is taken away");
	close(null);
	close(efd);
}

static void extensions(struct dev *d)
{
	const unsigned long nesting = 6;	/* newer headers have no name for it */

	is(check_extension(d->container, nesting), tap_kernel, "nesting is not offered");
}

/* The kernel takes what it finds, page by page. */
static void registers_as_memory(struct dev *d)
{
	const int rw = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_FIXED;
	const int dev_mem = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	uint8_t *at = mem_new(3 * page);

	mmap(at + page, page, rw, shared, d->fd, 0);
	mmap(at + 2 * page, page, rw, shared, d->fd, (off_t)page);
	is(dma_map(d->container, at + page, IOVA, page, RW), 0, "MAP_DMA of registers");
	is(dma_unmap(d->container, IOVA, page), page, "unmap");
	is(dma_map(d->container, at, IOVA, 2 * page, RW), tap_kernel ? 0 : -EFAULT,
	   "MAP_DMA of memory and registers");
	is(dma_unmap(d->container, IOVA, 2 * page), tap_kernel ? 2 * page : 0, "unmap");
	is(dma_map(d->container, at + page, IOVA, 2 * page, RW), tap_kernel ? 0 : -EFAULT,
	   "MAP_DMA of registers that are mapped twice");
	is(dma_unmap(d->container, IOVA, 2 * page), tap_kernel ? 2 * page : 0, "unmap");
	mmap(at, page, rw, shared, dev_mem, EDU2_BASE);
	is(dma_map(d->container, at, IOVA, page, RW), tap_kernel ? 0 : -EFAULT,
	   "MAP_DMA of registers, but not VFIO's");
	is(dma_unmap(d->container, IOVA, page), tap_kernel ? page : 0, "unmap");
	close(dev_mem);
	mem_free(at, 3 * page);
}

static void ranges(struct dev *d)
{
	const int wraps = tap_kernel ? -EINVAL : -EOVERFLOW;	/* from 7.2 on the kernel too */
	uint8_t *mem = mem_new(page);

	is(dma_map(d->container, mem, 0 - page, 2 * page, RW), wraps, "MAP_DMA, IOVA wraps");
	is(dma_map(d->container, (void *)(0 - page), IOVA, 2 * page, RW), wraps,
	   "MAP_DMA, address wraps");
	is(dma_unmap(d->container, 0 - page, 2 * page), wraps, "UNMAP_DMA, IOVA wraps");
	is(dma_map(d->container, mem, IOVA, page, RW), 0, "a mapping");
	is(dma_unmap(d->container, page, 0 - page), tap_kernel ? 0 : page,
	   "UNMAP_DMA up to the last address");
	is(dma_unmap_all(d->container), tap_kernel ? page : 0, "leaves nothing");
	mem_free(mem, page);
}

/* Six pages, where four may be locked and the second is missing. */
static int maps_too_much(void *arg)
{
	struct dev *d = arg;
	uint8_t *mem = mem_new(6 * page);

	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 4 * page, 4 * page });
	munmap(mem + page, page);
	return -dma_map(d->container, mem, IOVA, 6 * page, RW);
}

static void memlock(struct dev *d)
{
	is(in_child_unprivileged(maps_too_much, d), tap_kernel ? EFAULT : ENOMEM,
	   "MAP_DMA of too much memory, some of it missing");
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	reset();
	dev_open(&d, EDU0);
	position(&d);
	interrupts(&d);
	extensions(&d);
	registers_as_memory(&d);
	ranges(&d);
	memlock(&d);
	dev_close(&d);
	return tap_done();
}
