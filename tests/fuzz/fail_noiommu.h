/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls on devices without an IOMMU whose allocations fuzz fail-nth lets fail; part of fuzz.c.
 *
 * Memory is held for EDU1, which closing resets, so that it comes back then; for EDU3, which is not
 * coherent, it comes back when the step says so; for EDU0, if nobody does, when that is unbound.
 */
#ifndef FAIL_NOIOMMU_H
#define FAIL_NOIOMMU_H

#include <linux/dma-buf.h>

#define NOIOMMU_PARAMETER	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define CONTIG_SIZE		(16 * PAGE)

union held {
	struct evfio_device_pin arg;
	uint8_t room[sizeof(struct evfio_device_pin) +
		     SCATTERED * sizeof(struct evfio_device_extent)];
};

static union held held;
static struct evfio_device_contig contig;
static uint8_t *contig_memory;
static int dmabuf;

static int pin(int fd, const void *mem, uint64_t size, uint64_t mask, union held *told)
{
	told->arg = (struct evfio_device_pin){
		.argsz = sizeof(*told), .flags = RW, .vaddr = (uintptr_t)mem, .size = size,
		.mask = mask,
	};
	return xioctl(fd, EVFIO_DEVICE_PIN, told);
}

static int unpin(int fd, uint32_t id)
{
	const struct evfio_device_unpin arg = { .argsz = sizeof(arg), .id = id };

	return xioctl(fd, EVFIO_DEVICE_UNPIN, &arg);
}

static int sync_caches(int fd, uint32_t id, uint32_t flags, uint64_t offset, uint64_t size)
{
	const struct evfio_device_sync arg = {
		.argsz = sizeof(arg), .flags = flags, .id = id, .offset = offset, .size = size,
	};

	return xioctl(fd, EVFIO_DEVICE_SYNC, &arg);
}

static int contig_new(int fd, uint64_t size, uint64_t alignment, uint32_t flags, uint64_t mask,
		      struct evfio_device_contig *told)
{
	*told = (struct evfio_device_contig){
		.argsz = sizeof(*told), .flags = flags, .size = size, .alignment = alignment,
		.mask = mask,
	};
	return xioctl(fd, EVFIO_DEVICE_CONTIG, told);
}

static int contig_by_id(int fd, unsigned long cmd, uint32_t id)
{
	const struct evfio_device_contig_id arg = { .argsz = sizeof(arg), .id = id };

	return xioctl(fd, cmd, &arg);
}

static long set_noiommu(void)
{
	return container_set_iommu(container, VFIO_NOIOMMU_IOMMU);
}

static long have_noiommu(void)
{
	have_joined();
	return ok_or_bail(set_noiommu(), "SET_IOMMU");
}

static long pin_page(void)
{
	return pin(dev.fd, memory, PAGE, 0, &held);
}

static long pin_scattered(void)
{
	return pin(dev.fd, scattered, SCATTERED * PAGE, 0, &held);
}

static long have_pinned(void)
{
	have_reset();
	return ok_or_bail(pin_scattered(), "DEVICE_PIN");
}

static long unpin_held(void)
{
	return unpin(dev.fd, held.arg.id);
}

/* What belongs together has to be bound together. */
static long have_incoherent(void)
{
	board_take(EDU2);
	dev_open(&dev, EDU3);
	return 0;
}

static long have_unsynced(void)
{
	have_incoherent();
	return ok_or_bail(pin_scattered(), "DEVICE_PIN");
}

static long sync_held(void)
{
	return sync_caches(dev.fd, held.arg.id, EVFIO_SYNC_FOR_CPU, PAGE + 8, 9 * PAGE);
}

static long drop_unsynced(void)
{
	ok_or_bail(unpin_held(), "DEVICE_UNPIN");
	return drop_open();
}

static long contig_alloc(void)
{
	return contig_new(dev.fd, CONTIG_SIZE, 0, 0, 0, &contig);
}

static long contig_alloc_cached(void)
{
	return contig_new(dev.fd, CONTIG_SIZE, 1 << 20, EVFIO_CONTIG_CACHED, 0, &contig);
}

static long contig_release(void)
{
	return contig_by_id(dev.fd, EVFIO_DEVICE_CONTIG_FREE, contig.id);
}

static long drop_incoherent_contig(void)
{
	ok_or_bail(contig_release(), "CONTIG_FREE");
	return drop_open();
}

static long have_contig(void)
{
	have_reset();
	return ok_or_bail(contig_alloc_cached(), "DEVICE_CONTIG");
}

static long contig_map(void)
{
	contig_memory = mmap(NULL, CONTIG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dev.fd,
			     (off_t)contig.offset);
	return contig_memory == MAP_FAILED ? -errno : 0;
}

static long drop_contig_map(void)
{
	munmap(contig_memory, CONTIG_SIZE);
	return drop_open();
}

static long have_contig_map(void)
{
	have_contig();
	return ok_or_bail(contig_map(), "mmap");
}

/* The fault that fails is made again. */
static long contig_touch(void)
{
	return *(volatile uint8_t *)(contig_memory + 3 * PAGE) ? -EIO : 0;
}

static long contig_export(void)
{
	dmabuf = contig_by_id(dev.fd, EVFIO_DEVICE_CONTIG_EXPORT, contig.id);
	return dmabuf;
}

static long drop_dmabuf(void)
{
	close(dmabuf);
	return drop_open();
}

static long have_dmabuf(void)
{
	have_contig();
	return ok_or_bail(contig_export(), "CONTIG_EXPORT");
}

static long map_dmabuf(void)
{
	contig_memory = mmap(NULL, CONTIG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	return contig_memory == MAP_FAILED ? -errno : 0;
}

static long drop_dmabuf_map(void)
{
	close(dmabuf);
	return drop_contig_map();
}

static long sync_dmabuf(void)
{
	const struct dma_buf_sync arg = { DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW };

	return xioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &arg);
}

/* Of each kind, and a dma-buf that outlives it all. */
static long have_all_held(void)
{
	have_dmabuf();
	return ok_or_bail(pin_scattered(), "DEVICE_PIN");
}

static long drop_dmabuf_alone(void)
{
	return sys(close(dmabuf));
}

static long have_left_behind(void)
{
	have_open();
	ok_or_bail(pin_page(), "DEVICE_PIN");
	ok_or_bail(contig_alloc(), "DEVICE_CONTIG");
	return drop_open();
}

/* board_unbind() looks first, which may fail as well, and then there is nothing to do for it. */
static long unbind_at_once(void)
{
	return file_write("/sys/bus/platform/drivers/vfio-platform/unbind", EDU0);
}

static const struct step noiommu_steps[] = {
	{ "open group", nothing, open_group, close_group, false },
	{ "SET_CONTAINER", have_group, join, drop_group, false },
	{ "UNSET_CONTAINER", have_joined, leave, drop_group, false },
	{ "SET_IOMMU", have_joined, set_noiommu, drop_group, false },
	{ "GET_DEVICE_FD", have_noiommu, get_fd, drop_fd, false },
	{ "GET_STATUS", have_open, status, drop_open, false },
	{ "DEVICE_PIN a page", have_incoherent, pin_page, drop_unsynced, false },
	{ "DEVICE_PIN scattered pages", have_reset, pin_scattered, drop_open, false },
	{ "DEVICE_UNPIN", have_pinned, unpin_held, drop_open, false },
	{ "DEVICE_SYNC", have_unsynced, sync_held, drop_unsynced, false },
	{ "DEVICE_CONTIG", have_reset, contig_alloc, drop_open, false },
	{ "DEVICE_CONTIG, aligned", have_reset, contig_alloc_cached, drop_open, false },
	{ "DEVICE_CONTIG, not coherent", have_incoherent, contig_alloc, drop_incoherent_contig,
	  false },
	{ "DEVICE_CONTIG_FREE", have_contig, contig_release, drop_open, false },
	{ "DEVICE_CONTIG_EXPORT", have_contig, contig_export, drop_dmabuf, false },
	{ "mmap a contiguous buffer", have_contig, contig_map, drop_contig_map, false },
	{ "touch it", have_contig_map, contig_touch, drop_contig_map, false },
	{ "mmap a dma-buf", have_dmabuf, map_dmabuf, drop_dmabuf_map, false },
	{ "DMA_BUF_IOCTL_SYNC", have_dmabuf, sync_dmabuf, drop_dmabuf, false },
	{ "close all with memory held", have_all_held, drop_open, drop_dmabuf_alone, true },
	{ "bind", have_none, bind, nothing, false },
	{ "unbind with memory held", have_left_behind, unbind_at_once, have_bound, false },
};

#endif
