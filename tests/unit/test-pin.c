// SPDX-License-Identifier: GPL-2.0-only
/* A device without an IOMMU, and memory for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

#define NAME	"10000000.edu"
#define BUS	0x80000000u	/* libvfio.c's first */

static size_t page;

static void refused(struct evfio_device *dev, int err, int want, const char *text)
{
	struct evfio_pin *pin;
	void *mem = aligned_alloc(page, page);

	fake.pin_errno = err;
	is(evfio_pin_memory(dev, mem, page, EVFIO_DMA_BOTH, &pin), want, "errno %d", err);
	message_has(text);
	fake.pin_errno = 0;
	free(mem);
}

static void bad_arguments(struct evfio_device *dev)
{
	char *mem = aligned_alloc(page, page);
	struct evfio_pin *pin;

	is(evfio_pin_memory(dev, mem, 0, 3, &pin), -EINVAL, "no size");
	is(evfio_pin_memory(dev, mem, page - 1, 3, &pin), -EINVAL, "less than a page");
	is(evfio_pin_memory(dev, mem + 8, page, 3, &pin), -EINVAL, "within a page");
	message_has("multiples of the page size");
	is(evfio_pin_memory(dev, mem, page, 0, &pin), -EINVAL, "no flags");
	is(evfio_pin_memory(dev, mem, page, 4 | 3, &pin), -EINVAL, "unknown flags");
	message_has("0x7 are no flags");
	is(evfio_pin_memory(dev, mem, page, 3, &pin), -EINVAL, "for nobody knows how many bits");
	message_has("how many address bits has " NAME "?");
	is(fake.pins, 0, "the kernel was not asked");
	free(mem);
}

static void memory(struct evfio_device *dev)
{
	struct evfio_container *ct = evfio_device_container(dev);
	void *mem = aligned_alloc(page, 3 * page);
	struct evfio_pin *pin;
	size_t left;

	evfio_dma_set_mask(ct, 28);
	is(evfio_pin_memory(dev, mem, 3 * page, EVFIO_DMA_BOTH, &pin), 0, "three pages");
	is(fake.pins, 1, "are pinned once");
	ok(fake.pin_mask == 0xfffffff, "for 28 bits");
	ok(pin->addr == mem && pin->size == 3 * page, "what was asked for");
	is(pin->nr_extents, 3, "three extents");
	ok(evfio_pin_address(pin, 0, NULL) == BUS, "the first byte");
	ok(evfio_pin_address(pin, page - 1, &left) == BUS + page - 1, "the page's last");
	ok(left == 1, "which is the last of its extent");
	ok(evfio_pin_address(pin, 2 * page + 4, &left) == BUS + 4 * page + 4, "the third page");
	ok(left == page - 4, "and what is left of it");
	ok(evfio_pin_address(pin, 3 * page, &left) == UINT64_MAX, "beyond its end: no address");
	ok(left == 0, "of which nothing is left");
	message_has("beyond memory of");
	ok(evfio_pin_address(pin, SIZE_MAX, NULL) == UINT64_MAX, "far beyond its end");
	is(evfio_pin_free(pin), 0, "given back");
	is(fake.pins, 0, "nothing is pinned");
	evfio_dma_set_mask(ct, 64);
	is(evfio_pin_memory(dev, mem, page, EVFIO_DMA_TO_DEVICE, &pin), 0, "64 bits");
	ok(fake.pin_mask == UINT64_MAX, "all of them");
	fake.pins = 0;
	is(evfio_pin_free(pin), -ENOENT, "what is not there");
	message_has("cannot unpin");
	is(evfio_pin_free(NULL), 0, "nothing");
	evfio_dma_set_mask(ct, 32);
	free(mem);
}

/* The kernel is asked only for what the program cannot do, and only if the device needs it. */
static void caches(struct evfio_device *dev, bool coherent)
{
#if defined(__aarch64__)
	const bool kernel = false;
#else
	const bool kernel = !coherent;
#endif
	void *mem = aligned_alloc(page, page);
	struct evfio_pin *pin;

	is(evfio_pin_memory(dev, mem, page, EVFIO_DMA_BOTH, &pin), 0, "a page");
	memset(&fake.synced, 0, sizeof(fake.synced));
	is(evfio_pin_sync_for_device(pin, 16, 32), 0, "32 bytes for the device");
	is(fake.synced.flags, kernel ? EVFIO_SYNC_FOR_DEVICE : 0, "by the kernel: %d", kernel);
	is(fake.synced.id, kernel ? 7 : 0, "of this memory");
	is((long long)fake.synced.offset, kernel ? 16 : 0, "from there on");
	is((long long)fake.synced.size, kernel ? 32 : 0, "as many");
	is(evfio_pin_sync_for_cpu(pin, page - 1, 1), 0, "a byte for the CPU");
	is(fake.synced.flags, kernel ? EVFIO_SYNC_FOR_CPU : 0, "by the kernel: %d", kernel);
	memset(&fake.synced, 0, sizeof(fake.synced));
	is(evfio_pin_sync_for_cpu(pin, page, 0), 0, "nothing, at its end");
	is(evfio_pin_sync_for_cpu(pin, 1, page), -EINVAL, "beyond its end");
	message_has("are beyond a buffer of");
	is(evfio_pin_sync_for_device(pin, SIZE_MAX, 2), -EINVAL, "around 2^64");
	is(fake.synced.argsz, 0, "of which the kernel hears nothing");
	fake.pin_errno = ERANGE;
	is(evfio_pin_sync_for_device(pin, 0, 1), kernel ? -ERANGE : 0, "what it says");
	if (kernel)
		message_has("is not coherent with the CPU's caches");
	fake.pin_errno = 0;
	evfio_pin_free(pin);
	free(mem);
}

int main(void)
{
	struct evfio_iova_range range;
	struct evfio_device *dev, *other;
	struct evfio_container *ct;
	struct evfio_dma *dma;

	tree_new();
	fake_reset();
	page = (size_t)sysconf(_SC_PAGESIZE);
	is(evfio_open(NAME, &dev), 0, "a device with an IOMMU");
	refused(dev, ENOTTY, -ENOTTY, "has an IOMMU: evfio_dma_map()");
	evfio_close(dev);

	tree_remove("dev/vfio/3");
	tree_text("dev/vfio/noiommu-3", "");
	is(evfio_open(NAME, &dev), 0, "the device without it");
	is(fake.iommu_type, VFIO_NOIOMMU_IOMMU, "in no-IOMMU mode");
	ct = evfio_device_container(dev);
	is(evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &dma), -EOPNOTSUPP, "nothing is allocated");
	message_has("evfio_pin_memory()");
	is(evfio_dma_ranges(ct, &range, 1), -EOPNOTSUPP, "there are no IOVAs");
	is(evfio_open_in(ct, "9010000.pl031", &other), -EPERM, "one with an IOMMU in its container");
	message_has("has an IOMMU, unlike");

	bad_arguments(dev);
	memory(dev);
	refused(dev, ENOTTY, -ENOTTY, "load evfio's modules");
	refused(dev, ERANGE, -ERANGE, "by 32 bits of address");
	refused(dev, EOPNOTSUPP, -EOPNOTSUPP, "reaches memory directly");
	refused(dev, EFAULT, -EFAULT, "cannot be mapped");
	refused(dev, ENODEV, -ENODEV, "cannot pin");
	caches(dev, true);
	evfio_close(dev);
	is(fake.iommu_type, 0, "closed: the container is empty");

	tree_remove("dev/vfio/5");
	tree_text("dev/vfio/noiommu-5", "");
	is(evfio_open("10200000.edu", &dev), 0, "one that is not coherent");
	evfio_dma_set_mask(evfio_device_container(dev), 32);
	caches(dev, false);
	evfio_close(dev);
	tree_free();
	return done();
}
