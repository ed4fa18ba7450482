// SPDX-License-Identifier: GPL-2.0-only
/* Regions, interrupts and DMA of an open device. */
#include <errno.h>
#include <linux/evfio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

static void regions(struct evfio_device *dev)
{
	struct evfio_region *region, *small, *fixed;
	struct evfio_region_info info;
	uint64_t value;

	is(evfio_region_info(dev, 0, &info), 0, "information about region 0");
	is_str(info.name, "regs", "its name is in the device tree");
	is((long long)info.size, 8192, "its size");
	is(evfio_region_info(dev, 3, &info), 0, "about one without a name");
	is_str(info.name, "", "has none");
	is(evfio_region_info(dev, 4, &info), -EINVAL, "about one that is not there");
	message_has("no region 4: it has 4");
	is(evfio_region_index(dev, "aux"), 1, "a region by name");
	is(evfio_region_index(dev, "none"), -ENOENT, "no such name");
	message_has("10000000.edu has no region \"none\"");
	is(evfio_region_map(dev, 2, &region), -ENXIO, "an empty one cannot be mapped");
	is(evfio_region_map(dev, 9, &region), -EINVAL, "nor one that is not there");
	is(evfio_region_map_name(dev, "none", &region), -ENOENT, "nor by a wrong name");

	is(evfio_region_map_name(dev, "regs", &region), 0, "map by name");
	ok(region->base && region->size == 8192, "it is mapped");
	evfio_write32(region, 0, 0x11223344);
	is(evfio_read32(region, 0), 0x11223344, "32 bits");
	is(evfio_read8(region, 0), 0x44, "little-endian");
	is(evfio_read16(region, 2), 0x1122, "16 bits");
	evfio_write64(region, 8184, 0x8877665544332211);
	ok(evfio_read64(region, 8184) == 0x8877665544332211, "64 bits, the last of the region");
	evfio_write8(region, 8191, 0x99);
	is(evfio_read8(region, 8191), 0x99, "the last byte");
	evfio_write16(region, 8188, 0xabcd);
	is(evfio_read16(region, 8188), 0xabcd, "16 bits at the end");
	is(evfio_read32(region, 8192), 0xffffffff, "beyond the region: all ones");
	message_has("offset 0x2000 is beyond region 0, of 0x2000 bytes");
	is(evfio_read32(region, 8190), 0xffffffff, "misaligned: all ones");
	message_has("offset 0x1ffe is not a multiple of 4");
	is(evfio_read64(region, UINT64_MAX - 7) == UINT64_MAX, 1, "at 2^64: all ones");
	evfio_write32(region, 8192, 1);
	message_has("beyond region 0");
	evfio_write32(region, 2, 0xdeadbeef);
	is(evfio_read32(region, 0), 0x11223344, "a misaligned write is lost");

	is(evfio_region_read(region, 0, 4, &value), 0, "read by file access");
	is((long long)value, 0x11223344, "the same register");
	is(evfio_region_write(region, 4, 2, 0x5566), 0, "write by file access");
	is(evfio_read16(region, 4), 0x5566, "is seen");
	is(evfio_region_read(region, 0, 3, &value), -EINVAL, "no access of 3 bytes");
	is(evfio_region_read(region, 0, 16, &value), -EINVAL, "none of 16");
	is(evfio_region_read(region, 0, 0, &value), -EINVAL, "none of 0");
	is(evfio_region_read(region, 2, 4, &value), -EINVAL, "none misaligned");
	is(evfio_region_read(region, 8192, 4, &value), -ERANGE, "none beyond");
	evfio_region_unmap(region);
	evfio_region_unmap(NULL);

	is(evfio_region_map(dev, 1, &small), 0, "a region of 24 bytes");
	ok(!small->base, "cannot be mapped");
	evfio_write32(small, 20, 0xcafe);
	is(evfio_read32(small, 20), 0xcafe, "but read and written");
	evfio_write64(small, 8, 0x0102030405060708);
	is(evfio_read8(small, 15), 1, "little-endian as well");
	is(evfio_read32(small, 24), 0xffffffff, "to its end");
	is(evfio_read64(small, 20) == UINT64_MAX, 1, "and no further");
	evfio_region_unmap(small);

	is(evfio_region_map(dev, 3, &fixed), 0, "a region to read only");
	is(evfio_read32(fixed, 0), 0, "is read");
	evfio_write32(fixed, 0, 1);
	message_has("region 3 is not writable");
	is(evfio_read32(fixed, 0), 0, "and not written");
	evfio_region_unmap(fixed);
}

/* The second part of the made-up device's file is the first region, write-combined. */
static void combined(struct evfio_device *dev)
{
	struct evfio_region *region, *plain;
	uint64_t value;

	is(evfio_region_map_wc(dev, 0, &region), 0, "map write-combined");
	ok(region->flags & EVFIO_REGION_WC, "which it is");
	is(evfio_region_map(dev, 0, &plain), 0, "map as it is");
	ok(!(plain->flags & EVFIO_REGION_WC), "which is not write-combined");
	evfio_write32(plain, 4, 1);
	evfio_write32(region, 4, 0x5a5a);
	is(evfio_read32(region, 4), 0x5a5a, "written and read by its mapping");
	is(evfio_region_read(region, 4, 4, &value), 0, "read by file access");
	is((long)value, 1, "where the region always is");
	evfio_write32(plain, 4, 0);
	evfio_region_unmap(plain);
	evfio_region_unmap(region);

	fake.no_wc = true;
	is(evfio_region_map_wc(dev, 0, &region), 0, "by a VFIO that knows nothing of it");
	ok(region->base && !(region->flags & EVFIO_REGION_WC), "it is mapped as it is");
	fake.no_wc = false;
	evfio_region_unmap(region);
	is(evfio_region_map_wc(dev, 2, &region), -ENXIO, "an empty one is not mapped");
}

static void *fire_soon(void *arg)
{
	usleep(20000);
	evfio_irq_trigger(arg);
	return NULL;
}

static void irqs(struct evfio_device *dev)
{
	struct evfio_irq *level, *edge;
	struct evfio_irq_info info;
	pthread_t thread;

	is(evfio_irq_info(dev, 0, &info), 0, "information about interrupt 0");
	is_str(info.name, "done", "its name is in the device tree");
	ok(info.flags & EVFIO_IRQ_AUTOMASKED, "it is a level one");
	is(evfio_irq_info(dev, 3, &info), -EINVAL, "about one that is not there");
	is(evfio_irq_index(dev, "done"), 0, "an interrupt by name");
	is(evfio_irq_index(dev, "none"), -ENOENT, "no such name");
	message_has("no interrupt \"none\"");
	is(evfio_irq_open(dev, 2, &level), -ENXIO, "an empty one");
	is(evfio_irq_open(dev, 3, &level), -EINVAL, "one that is not there");
	is(evfio_irq_open_name(dev, "none", &level), -ENOENT, "a wrong name");
	fake.irq_errno = EBUSY;
	is(evfio_irq_open(dev, 0, &level), -EBUSY, "one that is another driver's");
	message_has("/proc/interrupts");
	fake.irq_errno = EINVAL;
	is(evfio_irq_open(dev, 0, &level), -EINVAL, "one that cannot be requested");
	message_has("start the machine without that driver");
	fake.irq_errno = 0;
	ok(!level, "and is not handed out");

	is(evfio_irq_open_name(dev, "done", &level), 0, "open the level interrupt");
	is(fake.unmask_count, 1, "it is unmasked");
	is(fake.irq_fd[0], evfio_irq_fd(level), "the kernel has its eventfd");
	is(evfio_irq_wait(level, 0), -ETIMEDOUT, "not fired yet");
	is(evfio_irq_wait(level, 20), -ETIMEDOUT, "nor soon");
	message_has("did not fire in time");
	is(evfio_irq_trigger(level), 0, "fire it");
	is(evfio_irq_trigger(level), 0, "twice");
	is(evfio_irq_wait(level, 0), 2, "both are counted");
	is(evfio_irq_wait(level, 0), -ETIMEDOUT, "once");
	pthread_create(&thread, NULL, fire_soon, level);
	is(evfio_irq_wait(level, -1), 1, "wait for one to come");
	pthread_join(thread, NULL);
	is(evfio_irq_rearm(level), 0, "rearm");
	is(fake.unmask_count, 2, "unmasks a level interrupt");
	is(evfio_irq_mask(level), 0, "mask");
	is(fake.mask_count, 1, "masks");
	is(evfio_irq_unmask(level), 0, "unmask");
	is(fake.unmask_count, 3, "unmasks");
	evfio_irq_close(level);
	is(fake.irq_fd[0], -1, "closing takes the eventfd away");
	evfio_irq_close(NULL);

	is(evfio_irq_open(dev, 1, &edge), 0, "open the edge interrupt");
	is(evfio_irq_rearm(edge), 0, "rearm");
	is(fake.unmask_count, 3, "does nothing to it");
	is(evfio_irq_mask(edge), -EOPNOTSUPP, "it cannot be masked");
	message_has("cannot be masked");
	evfio_irq_close(edge);
}

static void msi(struct evfio_device *dev)
{
	struct evfio_irq *vectors[3], *wired;
	struct evfio_irq_info info;
	uint64_t address = 0;
	uint32_t index = 0, data = 0;

	fake.evfio = false;
	is(evfio_device_msi(dev, 4, &index), -ENOTTY, "MSI on the kernel's own VFIO");
	message_has("evfio's modules");
	fake.evfio = true;
	fake.msi_parent = false;
	is(evfio_device_msi(dev, 4, &index), -ENOTTY, "of a device without an MSI controller");
	message_has("\"msi-parent\"");
	fake.msi_parent = true;
	is(evfio_device_msi(dev, 0, &index), -EINVAL, "no vectors");
	message_has("1 to 2048");
	is(evfio_irq_index(dev, "msi"), -ENOENT, "there is no such interrupt yet");
	is(evfio_device_irqs(dev), 3, "of three");
	is(evfio_device_msi(dev, 4, &index), 0, "four vectors");
	is(index, 3, "are the next index");
	is(evfio_device_irqs(dev), 4, "of four then");
	is(evfio_device_msi(dev, 4, &index), -EBUSY, "not twice");
	message_has("already");
	is(evfio_irq_index(dev, "msi"), 3, "it has a name");
	is(evfio_irq_index(dev, "none"), -ENOENT, "another is still none");
	is(evfio_irq_info(dev, 3, &info), 0, "information about it");
	is_str(info.name, "msi", "its name");
	is(info.count, 4, "its vectors");

	is(evfio_irq_open_vectors(dev, 3, 0, 3, vectors), 0, "open three");
	is(evfio_irq_message(vectors[2], &address, &data), 0, "the message of the last");
	ok(address == 0x8000040 && data == 102, "is the kernel's");
	is(evfio_irq_open_vectors(dev, 3, 3, 1, &wired), -EINVAL, "one more, later");
	message_has("open all of them at once");
	is(evfio_irq_open(dev, 1, &wired), 0, "a wired one");
	is(evfio_irq_message(wired, &address, &data), -EINVAL, "has no message");
	message_has("not of evfio_device_msi()");
	evfio_irq_close(wired);
	evfio_irq_close(vectors[0]);
	evfio_irq_close(vectors[1]);
	is(fake.enabled, 3, "two are closed: the index is on");
	evfio_irq_close(vectors[2]);
	is(fake.enabled, 0, "and off with the last");
	fake.msi = 0;
}

static int map_at(struct evfio_container *ct, void *addr, size_t size, uint64_t iova,
		  struct evfio_dma **out)
{
	const struct evfio_dma want = { .addr = addr, .iova = iova, .size = size };

	return evfio_dma_map_at(ct, &want, EVFIO_DMA_BOTH, out);
}

static void dma(struct evfio_device *dev)
{
	struct evfio_container *ct = evfio_device_container(dev);
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct evfio_iova_range ranges[3];
	struct evfio_dma *a, *b, *c;
	uint64_t sizes;
	uint32_t left;
	uint8_t *own;

	is(evfio_dma_page_sizes(ct, &sizes), 0, "page sizes");
	is((long long)sizes, 0x40201000, "are the IOMMU's");
	is(evfio_dma_ranges(ct, ranges, 3), 2, "ranges");
	is((long long)ranges[1].first, 0x8100000, "are the IOMMU's");
	is(evfio_dma_ranges(ct, ranges, 1), 2, "with too little room");
	is(evfio_dma_ranges(ct, NULL, 0), 2, "with none");
	is(evfio_dma_available(ct, &left), 0, "mappings left");
	is(left, 65535, "all");

	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &a), 0, "allocate one byte");
	is((long long)a->size, (long long)page, "gives a page");
	is((long long)a->iova, 0x10000, "at the lowest IOVA");
	is(*(uint8_t *)a->addr, 0, "of zeroes");
	is(evfio_dma_alloc(ct, page, 0x10000, EVFIO_DMA_TO_DEVICE, &b), 0, "aligned to 64 KiB");
	is((long long)b->iova, 0x20000, "it is");
	is(evfio_dma_alloc(ct, 4 << 20, 0, EVFIO_DMA_FROM_DEVICE, &c), 0, "4 MiB");
	is((long long)(c->iova % (2 << 20)), 0, "are aligned for large pages");
	is((long long)((uintptr_t)c->addr % (2 << 20)), 0, "on both sides");
	is(fake.mappings, 3, "three mappings");
	is(evfio_dma_free(c), 0, "free");
	is(evfio_dma_free(b), 0, "free");
	is(evfio_dma_free(a), 0, "free");
	is(evfio_dma_free(NULL), 0, "free nothing");
	is(fake.mappings, 0, "all unmapped");

	is(evfio_dma_alloc(ct, 0, 0, EVFIO_DMA_BOTH, &a), -EINVAL, "size 0");
	is(evfio_dma_alloc(ct, SIZE_MAX, 0, EVFIO_DMA_BOTH, &a), -EINVAL, "size 2^64 - 1");
	is(evfio_dma_alloc(ct, SIZE_MAX - page, 0, EVFIO_DMA_BOTH, &a), -ENOMEM, "a bit less");
	is(evfio_dma_alloc(ct, page, 3, EVFIO_DMA_BOTH, &a), -EINVAL, "alignment 3");
	is(evfio_dma_alloc(ct, page, 0, 0, &a), -EINVAL, "no direction");
	is(evfio_dma_alloc(ct, page, 0, 1 << 20 | EVFIO_DMA_BOTH, &a), -EINVAL, "unknown flag");
	is(evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH | EVFIO_DMA_PAGE(63), &a), -EINVAL,
	   "pages of 2^63 bytes");
	fake.map_errno = ENOSPC;
	is(evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &a), -ENOSPC, "the kernel refuses");
	message_has("limit of 65535 mappings");
	fake.map_errno = 0;
	is(evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &a), 0, "and agrees");
	is((long long)a->iova, 0x10000, "the IOVA was given back");
	evfio_dma_free(a);

	is(evfio_dma_set_mask(ct, 11), -EINVAL, "a mask of 11 bits");
	is(evfio_dma_set_mask(ct, 65), -EINVAL, "of 65");
	is(evfio_dma_set_mask(ct, 17), 0, "of 17");
	is(evfio_dma_alloc(ct, 0x10000, 0, EVFIO_DMA_BOTH, &a), 0, "64 KiB fit");
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &b), -ENOSPC, "no more");
	message_has("no 4 KiB of free IOVAs, aligned to 4 KiB, below 2^17");
	evfio_dma_free(a);
	is(evfio_dma_set_mask(ct, 64), 0, "of 64");

	own = aligned_alloc(page, 4 * page);
	if (!own)
		abort();
	memset(own, 1, 4 * page);
	is(evfio_dma_map(ct, own + 1, page, EVFIO_DMA_BOTH, &a), -EINVAL, "misaligned address");
	message_has("multiples of the IOMMU's page, 0x1000");
	is(evfio_dma_map(ct, own, page + 1, EVFIO_DMA_BOTH, &a), -EINVAL, "misaligned size");
	is(evfio_dma_map(ct, own, 0, EVFIO_DMA_BOTH, &a), -EINVAL, "size 0");
	is(evfio_dma_map(ct, own, page, EVFIO_DMA_PAGE_2M | 1, &a), -EINVAL, "a flag for alloc");
	is(map_at(ct, own, page, 0x20800, &a), -EINVAL, "misaligned IOVA");
	is(map_at(ct, own, page, 0x8000000, &a), -ERANGE, "an IOVA in the hole");
	message_has("outside what the IOMMU can map");
	is(map_at(ct, own, 2 * page, 0x20000, &a), 0, "a given IOVA");
	is(map_at(ct, own, page, 0x20000 + page, &b), -EEXIST, "is taken");
	message_has("mapped already");
	is(evfio_dma_map(ct, own, 4 * page, EVFIO_DMA_TO_DEVICE, &b), 0, "any IOVA");
	ok(b->addr == own && b->size == 4 * page, "of the program's memory");
	is(evfio_dma_free(a), 0, "free");
	is(evfio_dma_free(b), 0, "free");
	is(own[0], 1, "which stays the program's");
	free(own);
}

enum { THREADS = 4, ROUNDS = 200 };

/* Allocates and frees, and writes its mark into what it has. */
static void *allocate(void *arg)
{
	static unsigned int mark;
	const unsigned int mine = __atomic_add_fetch(&mark, 1, __ATOMIC_RELAXED);
	long bad = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct evfio_dma *dma;

		if (evfio_dma_alloc(arg, 4096U * (1 + (unsigned int)i % 3), 0, EVFIO_DMA_BOTH,
				    &dma)) {
			bad++;
			continue;
		}
		memset(dma->addr, (int)mine, dma->size);
		bad += evfio_dma_free(dma) != 0;
	}
	return (void *)bad;
}

static void threads(struct evfio_device *dev)
{
	struct evfio_container *ct = evfio_device_container(dev);
	pthread_t ids[THREADS];
	struct evfio_dma *last;
	long bad = 0;
	int i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&ids[i], NULL, allocate, ct);
	for (i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(ids[i], &result);
		bad += (long)result;
	}
	is(bad, 0, "%d threads allocate and free %d times", THREADS, ROUNDS);
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &last), 0, "allocate once more");
	is((long long)last->iova, 0x10000, "all IOVAs are free again");
	evfio_dma_free(last);
}

/* What is behind a mapping stays free, however that came about. */
static void guard(struct evfio_container *ct)
{
	struct evfio_dma *a, *b, *c;

	evfio_dma_set_guard(ct, 0x2fff);
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &a), 0, "a page with a guard");
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &b), 0, "another");
	is((long long)(b->iova - a->iova), 0x4000, "the guard, in whole pages, is between them");
	evfio_dma_set_guard(ct, 0);
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &c), 0, "one without");
	is((long long)(c->iova - b->iova), 0x4000, "does not lie in another's");
	is(evfio_dma_free(a), 0, "free");
	is(evfio_dma_free(b), 0, "free");
	is(evfio_dma_free(c), 0, "free");
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &a), 0, "a page");
	is((long long)a->iova, 0x10000, "all IOVAs are free again");
	is(map_at(ct, a->addr, a->size, 0x14000, &b), 0, "a given IOVA");
	evfio_dma_set_guard(ct, 0x3000);
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &c), 0, "one with a guard");
	ok(c->iova > b->iova, "does not fit between them");
	is(evfio_dma_free(c), 0, "free");
	is(map_at(ct, a->addr, a->size, 0x15000, &c), 0, "a given IOVA has no guard");
	is(evfio_dma_free(c), 0, "free");
	is(evfio_dma_free(b), 0, "free");
	is(evfio_dma_free(a), 0, "free");
	evfio_dma_set_guard(ct, UINT64_MAX);
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH, &a), -ENOSPC, "too much of a guard");
	message_has("no 4 KiB of free IOVAs");
	evfio_dma_set_guard(ct, 0);
}

/* More than go by one call of the kernel. */
enum { PIECES = EVFIO_IOMMU_RANGES_MAX + 90 };

/* A page each, of memory that is freed by its first address. */
static void cut(struct iovec *memory, unsigned int count)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *all = aligned_alloc(page, count * page);
	unsigned int i;

	if (!all)
		abort();
	for (i = 0; i < count; i++)
		memory[i] = (struct iovec){ all + i * page, page };
}

/* How many of the pieces are mapped as their handles say, which the kernel has at no IOVA twice. */
static unsigned int mapped(struct evfio_dma *const *dmas, const struct iovec *memory,
			   unsigned int count)
{
	unsigned int i, good = 0;

	for (i = 0; i < count; i++)
		good += dmas[i] && dmas[i]->addr == memory[i].iov_base &&
			dmas[i]->size == memory[i].iov_len &&
			fake_mapped(dmas[i]->iova, dmas[i]->addr, dmas[i]->size);
	return good;
}

static unsigned int handles(struct evfio_dma *const *dmas, unsigned int count)
{
	unsigned int i, found = 0;

	for (i = 0; i < count; i++)
		found += !!dmas[i];
	return found;
}

/* Nothing is mapped, and no IOVA taken: of the lowest 16 pages, 16 can be mapped. */
static void nothing_left(struct evfio_container *ct, const struct iovec *memory)
{
	struct evfio_dma *dmas[16];

	is(fake.mappings, 0, "nothing is mapped");
	ok(!fake.mapped_bytes, "not a byte");
	is(evfio_dma_set_mask(ct, 17), 0, "a mask of 17 bits");
	is(evfio_dma_map_many(ct, memory, 16, EVFIO_DMA_BOTH, dmas), 0, "64 KiB fit");
	is(evfio_dma_free_many(dmas, 16), 0, "they go");
	evfio_dma_set_mask(ct, 64);
}

/* The kernel takes one at a time, or all at once. */
static void many_good(struct evfio_container *ct, struct iovec *memory)
{
	const size_t page = memory[0].iov_len;
	struct evfio_dma *a, *b, *dmas[8] = { NULL };
	unsigned int calls;
	unsigned char core;
	void *own;

	/* What has two pages does not fit below b, what comes then does: IOVAs are not in order. */
	evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &a);
	evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &b);
	evfio_dma_free(a);
	memory[0].iov_len = 2 * page;
	calls = fake.map_calls;
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), 0, "map four pieces");
	is(fake.map_calls - calls, fake.evfio ? 1 : 4, "calls of the kernel");
	is(fake.mappings, 5, "four mappings, and the one before");
	is(mapped(dmas, memory, 4), 4, "those that the handles say");
	ok(dmas[1]->iova < dmas[0]->iova, "the second fits below the first");
	memory[0].iov_len = page;

	/* With a buffer of the library's own, and with holes. */
	dmas[7] = dmas[3];
	dmas[3] = NULL;
	evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &dmas[5]);
	own = dmas[5]->addr;
	calls = fake.unmap_calls;
	is(evfio_dma_free_many(dmas, 8), 0, "free them, with NULL between them");
	is(fake.unmap_calls - calls, fake.evfio ? 1 : 5, "calls of the kernel");
	is(fake.mappings, 1, "all are unmapped");
	ok(mincore(own, page, &core) && errno == ENOMEM, "the library's own memory is given back");
	evfio_dma_free(b);
	nothing_left(ct, memory);

	calls = fake.map_calls + fake.unmap_calls;
	is(evfio_dma_map_many(ct, memory, 2, EVFIO_DMA_TO_DEVICE, dmas), 0, "map two");
	is(evfio_dma_free_many(dmas, 2), 0, "free two");
	is(fake.map_calls + fake.unmap_calls - calls, fake.evfio ? 2 : 4, "calls of the kernel");
	is(evfio_dma_map_many(ct, memory, 1, EVFIO_DMA_TO_DEVICE, dmas), 0, "map one");
	is(mapped(dmas, memory, 1), 1, "it is");
	is(evfio_dma_free_many(dmas, 1), 0, "free one");
	is(evfio_dma_free_many(NULL, 0), 0, "free nothing");
	dmas[0] = NULL;
	dmas[1] = NULL;
	is(evfio_dma_free_many(dmas, 2), 0, "nor two times nothing");

	fake.no_malloc = true;
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), 0, "map without memory");
	is(mapped(dmas, memory, 4), 4, "they are");
	is(evfio_dma_free_many(dmas, 4), 0, "free without memory");
	fake.no_malloc = false;
	nothing_left(ct, memory);
}

static void many_bad(struct evfio_container *ct, struct iovec *memory)
{
	struct evfio_dma *dmas[20];
	struct rlimit before, small;

	memset(dmas, 0x11, sizeof(dmas));
	is(evfio_dma_map_many(ct, memory, 0, EVFIO_DMA_BOTH, dmas), -EINVAL, "map no pieces");
	message_has("no pieces");
	is(evfio_dma_map_many(ct, memory, 4, 0, dmas), -EINVAL, "in no direction");
	message_has("0x0 are no flags for DMA");
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_PAGE_2M | 1, dmas), -EINVAL,
	   "with a flag for alloc");
	is(handles(dmas, 4), 0, "no handle");

	memory[2].iov_len--;
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), -EINVAL, "a size out of line");
	message_has("piece 3 of 4: address ");
	message_has("multiples of the IOMMU's page, 0x1000");
	memory[2].iov_len++;
	is(handles(dmas, 4), 0, "no handle");
	nothing_left(ct, memory);

	evfio_dma_set_mask(ct, 17);
	is(evfio_dma_map_many(ct, memory, 17, EVFIO_DMA_BOTH, dmas), -ENOSPC, "one too many");
	message_has("piece 17 of 17: no 4 KiB of free IOVAs, aligned to 4 KiB, below 2^17");
	is(handles(dmas, 17), 0, "no handle");
	nothing_left(ct, memory);

	fake.no_memory = memory[15].iov_base;
	is(evfio_dma_map_many(ct, memory, 16, EVFIO_DMA_BOTH, dmas), -EFAULT,
	   "the last is not there");
	message_has("64 KiB in 16 pieces cannot be mapped: one is not all memory of this");
	is(handles(dmas, 16), 0, "no handle");
	nothing_left(ct, memory + 16);
	is(evfio_dma_map_many(ct, memory + 15, 1, EVFIO_DMA_BOTH, dmas), -EFAULT, "it alone");
	message_has("4 KiB at ");
	fake.no_memory = NULL;

	fake.map_errno = ENOSPC;
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), -ENOSPC, "too many mappings");
	message_has("limit of 65535 mappings is reached by 16 KiB in 4 pieces: map fewer");
	fake.map_errno = EEXIST;
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), -EEXIST, "mapped already");
	message_has("cannot map 16 KiB in 4 pieces: one of the IOVAs is mapped already");
	fake.map_errno = EIO;
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), -EIO, "anything else");
	message_has("cannot map 16 KiB in 4 pieces: Input/output error");
	fake.map_errno = ENOMEM;
	getrlimit(RLIMIT_MEMLOCK, &before);
	small = before;
	small.rlim_cur = 4096;
	setrlimit(RLIMIT_MEMLOCK, &small);
	is(evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas), -ENOMEM, "too much locked");
	message_has("this needs 16 KiB in 4 pieces, 4 KiB are locked already, the limit is 4 KiB");
	setrlimit(RLIMIT_MEMLOCK, &before);
	fake.map_errno = 0;
	is(handles(dmas, 4), 0, "no handle");
	nothing_left(ct, memory);
}

/* In more than one call. */
static void many_more(struct evfio_container *ct, struct iovec *memory)
{
	struct evfio_dma *dmas[PIECES], *other[PIECES];
	unsigned int maps, unmaps, i;

	maps = fake.map_calls;
	unmaps = fake.unmap_calls;
	is(evfio_dma_map_many(ct, memory, PIECES, EVFIO_DMA_BOTH, dmas), 0, "%d pieces", PIECES);
	is(fake.map_calls - maps, fake.evfio ? 2 : PIECES, "calls of the kernel");
	is(mapped(dmas, memory, PIECES), PIECES, "each is mapped");
	/* Every other one first, from the end on. */
	for (i = 0; i < PIECES; i++)
		other[i] = i % 2 ? NULL : dmas[PIECES - 1 - i];
	is(evfio_dma_free_many(other, PIECES), 0, "free half of them");
	is(fake.unmap_calls - unmaps, fake.evfio ? 1 : PIECES / 2, "calls of the kernel");
	is(fake.mappings, PIECES / 2, "the others stay");
	for (i = 0; i < PIECES; i++)
		other[i] = i % 2 ? dmas[PIECES - 1 - i] : NULL;
	is(evfio_dma_free_many(other, PIECES), 0, "free them");
	nothing_left(ct, memory);

	is(evfio_dma_map_many(ct, memory, PIECES, EVFIO_DMA_BOTH, dmas), 0, "once more");
	for (i = 0; i < PIECES; i++)
		other[i] = dmas[PIECES - 1 - i];
	unmaps = fake.unmap_calls;
	is(evfio_dma_free_many(other, PIECES), 0, "free all, backwards");
	is(fake.unmap_calls - unmaps, fake.evfio ? 2 : PIECES, "calls of the kernel");
	nothing_left(ct, memory);

	fake.no_memory = memory[PIECES - 1].iov_base;
	unmaps = fake.unmap_calls;
	is(evfio_dma_map_many(ct, memory, PIECES, EVFIO_DMA_BOTH, dmas), -EFAULT,
	   "the second call fails");
	is(fake.unmap_calls - unmaps, fake.evfio ? 1 : PIECES - 1, "the first is taken back");
	is(handles(dmas, PIECES), 0, "no handle");
	fake.no_memory = NULL;
	nothing_left(ct, memory);
}

/* What is done to the container without the library makes unmapping fail. */
static void behind(const struct evfio_container *ct, uint64_t iova, uint64_t size,
		   struct iovec *memory)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ,
		.iova = iova,
		.size = 2 * size,
	};

	is(ioctl(evfio_container_fd(ct), VFIO_IOMMU_UNMAP_DMA, &unmap), 0, "unmap one");
	if (!memory)
		return;
	map.vaddr = (uintptr_t)memory->iov_base;
	is(ioctl(evfio_container_fd(ct), VFIO_IOMMU_MAP_DMA, &map), 0, "and map more there");
}

static void many_stuck(struct evfio_container *ct, struct iovec *memory)
{
	const size_t page = memory[0].iov_len;
	struct evfio_dma *dmas[4], *next;
	uint64_t iova, last;

	evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas);
	iova = dmas[3]->iova;
	behind(ct, iova, page, memory);
	is(evfio_dma_free_many(dmas, 4), -EINVAL, "one cannot be unmapped");
	message_has("cannot unmap IOVA");
	is(fake.mappings, 1, "the others are");
	ok(fake_mapped(iova, memory[0].iov_base, 2 * page), "what is in its place stays");
	behind(ct, iova, 2 * page, NULL);
	evfio_dma_set_mask(ct, 17);
	is(evfio_dma_map_many(ct, memory, 16, EVFIO_DMA_BOTH, dmas), -ENOSPC,
	   "its IOVA is not used again");
	message_has("piece 16 of 16");
	evfio_dma_set_mask(ct, 64);

	evfio_dma_map_many(ct, memory, 4, EVFIO_DMA_BOTH, dmas);
	iova = dmas[1]->iova;
	last = dmas[3]->iova;
	behind(ct, iova, page, NULL);
	is(evfio_dma_free_many(dmas, 4), -ENOENT, "one was not mapped any more");
	message_has(fake.evfio ? "of 16 KiB in 4 pieces, only 12 KiB were still mapped" :
				 "was not mapped any more");
	is(fake.mappings, 0, "nor are the others");
	is(evfio_dma_map(ct, memory[0].iov_base, page, EVFIO_DMA_BOTH, &next), 0, "map another");
	ok(next->iova != iova && (!fake.evfio || next->iova > last), "elsewhere");
	evfio_dma_free(next);
}

/* Containers that are not the same, or not any more. */
static void many_containers(struct iovec *memory)
{
	const size_t page = memory[0].iov_len;
	struct evfio_dma *dmas[4], *two, *new, *next;
	struct evfio_container *ct;
	struct evfio_device *dev;

	evfio_container_new(&ct);
	is(evfio_dma_map_many(ct, memory, 3, EVFIO_DMA_BOTH, dmas), -ENODEV, "without a device");
	is(handles(dmas, 3), 0, "no handle");
	evfio_open_in(ct, "10000000.edu", &dev);
	is(evfio_dma_map_many(ct, memory, 3, EVFIO_DMA_BOTH, dmas), 0, "with one");
	{
		struct evfio_device *other;

		evfio_open("9010000.pl031", &other);
		/* The made-up VFIO has one address space only. */
		is(map_at(evfio_device_container(other), memory[3].iov_base, page, 0x1000000,
			  &two), 0, "in another container");
		dmas[3] = two;
		is(evfio_dma_free_many(dmas, 4), -EINVAL, "both together are not freed");
		message_has("not all of one container");
		is(fake.mappings, 4, "nothing is unmapped");
		is(mapped(dmas, memory, 4), 4, "the handles are as they were");
		evfio_dma_free(two);
		evfio_close(other);
	}
	evfio_close(dev);
	evfio_open_in(ct, "10000000.edu", &dev);
	is(evfio_dma_map(ct, memory[3].iov_base, page, EVFIO_DMA_BOTH, &new), 0,
	   "map when the container has got a new IOMMU");
	ok(new->iova == dmas[0]->iova, "at an IOVA of the old one");
	map_at(ct, memory[4].iov_base, page, 0x1000000, &dmas[3]);
	is(evfio_dma_free_many(dmas, 4), 0, "free what was of the old one, and one of the new one");
	is(fake.mappings, 1, "what is left");
	ok(fake_mapped(new->iova, memory[3].iov_base, page), "is the new one's");
	is(evfio_dma_map(ct, memory[4].iov_base, page, EVFIO_DMA_BOTH, &next), 0, "map another");
	ok(next->iova == new->iova + page, "the IOVAs of the new one are as they were");
	evfio_dma_free(next);

	is(evfio_dma_map_many(ct, memory, 3, EVFIO_DMA_BOTH, dmas), 0, "map three more");
	evfio_close(dev);
	is(evfio_dma_free_many(dmas, 3), 0, "free them without the device");
	evfio_container_put(ct);
	dmas[0] = new;
	dmas[1] = NULL;
	is(evfio_dma_free_many(dmas, 2), 0, "what holds the container may go last");
}

static void many(bool evfio)
{
	struct iovec memory[PIECES];
	struct evfio_container *ct;
	struct evfio_device *dev;

	printf("# many pieces, with %s VFIO\n", evfio ? "evfio's" : "the kernel's own");
	fake_reset();
	fake.evfio = evfio;
	cut(memory, PIECES);
	is(evfio_open("10000000.edu", &dev), 0, "open a device");
	ct = evfio_device_container(dev);
	many_good(ct, memory);
	many_bad(ct, memory);
	many_more(ct, memory);
	many_stuck(ct, memory);
	evfio_close(dev);
	many_containers(memory);
	free(memory[0].iov_base);
	fake_reset();
}

/* Cache maintenance is asked for by the device tree, and needs an architecture that has it. */
static void sync_caches(void)
{
#if defined(__aarch64__)
	const int wanted = 0;
#else
	const int wanted = -EOPNOTSUPP;
#endif
	struct evfio_device *coherent, *other;
	struct evfio_container *ct;
	struct evfio_dma *dma;

	evfio_container_new(&ct);
	is(evfio_open_in(ct, "10000000.edu", &coherent), 0, "a coherent device");
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &dma), 0, "a buffer");
	memset(dma->addr, 0x5a, dma->size);
	is(evfio_dma_sync_for_device(dma, 0, dma->size), 0, "handed to the device");
	is(evfio_dma_sync_for_cpu(dma, 0, dma->size), 0, "and back");
	is(evfio_dma_sync_for_cpu(dma, dma->size, 0), 0, "nothing, at its end");
	is(evfio_dma_sync_for_cpu(dma, 1, dma->size), -EINVAL, "beyond its end");
	is(evfio_dma_sync_for_device(dma, dma->size + 1, 0), -EINVAL, "from beyond its end");
	is(evfio_dma_sync_for_device(dma, SIZE_MAX, 2), -EINVAL, "around 2^64");
	is(evfio_open_in(ct, "10200000.edu", &other), 0, "a device that is not coherent");
	is(evfio_dma_sync_for_device(dma, 0, dma->size), wanted, "handed to it");
	is(evfio_dma_sync_for_cpu(dma, 1, 7), wanted, "and back");
	is(*(uint8_t *)dma->addr, 0x5a, "unchanged");
	evfio_close(other);
	is(evfio_dma_sync_for_device(dma, 0, dma->size), 0, "without it, as before");
	evfio_dma_free(dma);
	evfio_close(coherent);
	evfio_container_put(ct);
}

/* The chain of capabilities, as a kernel gone wrong might give it. */
static void caps(void)
{
	union {
		struct vfio_iommu_type1_info info;
		uint8_t bytes[96];
		uint32_t words[24];
	} data;
	struct vfio_info_cap_header *cap;

	memset(&data, 0, sizeof(data));
	ok(!dma_find_cap(&data.info, sizeof(data), 1, 8), "no capabilities at all");
	data.info.flags = VFIO_IOMMU_INFO_CAPS;
	ok(!dma_find_cap(&data.info, sizeof(data), 1, 8), "an empty chain");
	data.info.cap_offset = 32;
	cap = (struct vfio_info_cap_header *)&data.bytes[32];
	cap->id = 7;
	cap->next = 48;
	cap = (struct vfio_info_cap_header *)&data.bytes[48];
	cap->id = 1;
	ok(dma_find_cap(&data.info, sizeof(data), 1, 8) == cap, "the second of two");
	ok(dma_find_cap(&data.info, sizeof(data), 1, 48) == cap, "that ends with the answer");
	ok(!dma_find_cap(&data.info, sizeof(data), 1, 49), "that ends beyond it");
	ok(!dma_find_cap(&data.info, 16, 1, 8), "an answer without the chain's beginning");
	cap->next = 32;
	ok(!dma_find_cap(&data.info, sizeof(data), 9, 8), "a chain in a circle ends");
	cap->next = 92;
	ok(!dma_find_cap(&data.info, sizeof(data), 9, 8), "one that leads to the end");
	cap->next = 4096;
	ok(!dma_find_cap(&data.info, sizeof(data), 9, 8), "one that leads outside");
	cap->next = 50;
	ok(!dma_find_cap(&data.info, sizeof(data), 9, 8), "one that is misaligned");
}

static void no_caps(void)
{
	struct evfio_iova_range range;
	struct evfio_device *dev;
	uint32_t left;

	fake.no_caps = true;
	is(evfio_open("10000000.edu", &dev), 0, "a kernel without capabilities");
	is(evfio_dma_ranges(evfio_device_container(dev), &range, 1), 1, "one range is assumed");
	is((long long)range.first, 0x10000, "from 0x10000");
	is((long long)range.last, (1LL << 39) - 1, "to 2^39");
	is(evfio_dma_available(evfio_device_container(dev), &left), -EOPNOTSUPP,
	   "mappings left: not told");
	evfio_close(dev);
}

int main(void)
{
	struct evfio_device *dev;

	tree_new();
	fake_reset();
	if (is(evfio_open("10000000.edu", &dev), 0, "open a device")) {
		regions(dev);
		combined(dev);
		irqs(dev);
		msi(dev);
		dma(dev);
		guard(evfio_device_container(dev));
		threads(dev);
		evfio_close(dev);
	}
	many(true);
	many(false);
	sync_caches();
	caps();
	no_caps();
	tree_free();
	return done();
}
