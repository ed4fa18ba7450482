// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Contiguous buffers: the kernel's without an IOMMU, mappings behind one.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/evfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/* The caller sees pub. */
struct contig {
	struct evfio_contig pub;
	struct evfio_device *dev;
	struct evfio_dma *dma;		/* behind an IOMMU; NULL without one */
	uint32_t id;			/* the kernel's, without one */
	bool cached;
};

static int explain(int err, const struct evfio_device *dev, size_t size, uint64_t mask)
{
	char text[32];

	format_size(text, sizeof(text), size);
	switch (err) {
	case -ENOTTY:
		return fail(err, "the kernel's own VFIO has no memory for devices without an "
			    "IOMMU: load evfio's modules");
	case -ERANGE:
		return fail(err, "no memory that %s can reach by %d bits of address, or by the "
			    "\"dma-ranges\" above it", dev->sys->name, 64 - __builtin_clzll(mask));
	case -EOPNOTSUPP:
		return fail(err, "nothing of the DMA of %s reaches memory directly on this machine",
			    dev->sys->name);
	case -ENOMEM:
		return fail(err, "no %s in one piece for %s: `grep Cma /proc/meminfo` shows what "
			    "there is, `cma=` on the kernel's command line makes it more; and "
			    "RLIMIT_MEMLOCK holds", text, dev->sys->name);
	default:
		return fail(err, "cannot allocate %s for %s: %s", text, dev->sys->name,
			    strerror(-err));
	}
}

static int free_id(const struct evfio_device *dev, uint32_t id)
{
	struct evfio_device_contig_id arg = { .argsz = sizeof(arg), .id = id };

	if (ioctl(dev->fd, EVFIO_DEVICE_CONTIG_FREE, &arg))
		return fail_errno("cannot free a contiguous buffer of %s", dev->sys->name);
	return 0;
}

static int alloc_direct(struct contig *buf, uint64_t align, unsigned int kind)
{
	struct evfio_device_contig arg = {
		.argsz = sizeof(arg),
		.flags = kind,
		.size = buf->pub.size,
		.alignment = align,
		.mask = dma_mask(buf->dev),
	};
	int err;

	if (!arg.mask)
		return -EINVAL;
	if (ioctl(buf->dev->fd, EVFIO_DEVICE_CONTIG, &arg))
		return explain(-errno, buf->dev, buf->pub.size, arg.mask);
	buf->id = arg.id;
	buf->cached = kind & EVFIO_CONTIG_CACHED;
	buf->pub.address = arg.address;
	buf->pub.addr = mmap(NULL, buf->pub.size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->dev->fd,
			     (off_t)arg.offset);
	if (buf->pub.addr != MAP_FAILED)
		return 0;
	err = -errno;
	free_id(buf->dev, arg.id);
	return fail(err, "cannot map a contiguous buffer of %s: %s", buf->dev->sys->name,
		    strerror(-err));
}

static int alloc_mapped(struct contig *buf, uint64_t align, unsigned int kind)
{
	int err;

	if (!buf->dev->sys->coherent && !(kind & EVFIO_CONTIG_CACHED))
		return fail(-EOPNOTSUPP, "%s does not see the CPU's caches, and behind an IOMMU "
			    "memory is cached: it takes EVFIO_CONTIG_CACHED, and "
			    "evfio_contig_sync_for_device()", buf->dev->sys->name);
	err = evfio_dma_alloc(buf->dev->ct, buf->pub.size, align, EVFIO_DMA_BOTH, &buf->dma);
	if (err)
		return err;
	buf->cached = true;
	buf->pub.addr = buf->dma->addr;
	buf->pub.size = buf->dma->size;
	buf->pub.address = buf->dma->iova;
	return 0;
}

int evfio_contig_alloc(struct evfio_device *dev, size_t size, uint64_t align, unsigned int kind,
		       struct evfio_contig **out)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct contig *buf;
	int err;

	if (!size || size > SIZE_MAX - page)
		return fail(-EINVAL, "a contiguous buffer cannot have 0x%zx bytes", size);
	if (align & (align - 1))
		return fail(-EINVAL, "alignment 0x%" PRIx64 " is not a power of two", align);
	if (kind & ~(EVFIO_CONTIG_WC | EVFIO_CONTIG_CACHED) ||
	    kind == (EVFIO_CONTIG_WC | EVFIO_CONTIG_CACHED))
		return fail(-EINVAL, "0x%x is no kind of contiguous buffer", kind);
	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return fail(-ENOMEM, "no memory for a contiguous buffer");
	buf->dev = dev;
	buf->pub.size = (size + page - 1) / page * page;
	err = dev->ct->noiommu ? alloc_direct(buf, align, kind) : alloc_mapped(buf, align, kind);
	if (err)
		free(buf);
	else
		*out = &buf->pub;
	return err;
}

static int sync_part(const struct evfio_contig *pub, size_t offset, size_t size, bool for_device)
{
	const struct contig *buf = (const struct contig *)pub;

	return dma_sync(buf->cached && !buf->dev->sys->coherent, pub->addr, pub->size, offset,
			size, for_device);
}

int evfio_contig_sync_for_device(const struct evfio_contig *buf, size_t offset, size_t size)
{
	return sync_part(buf, offset, size, true);
}

int evfio_contig_sync_for_cpu(const struct evfio_contig *buf, size_t offset, size_t size)
{
	return sync_part(buf, offset, size, false);
}

int evfio_contig_export(const struct evfio_contig *pub)
{
	const struct contig *buf = (const struct contig *)pub;
	struct evfio_device_contig_id arg = { .argsz = sizeof(arg), .id = buf->id };
	int fd;

	if (buf->dma)
		return fail(-EOPNOTSUPP, "%s has an IOMMU, so its buffers are the program's own "
			    "memory: /dev/udmabuf makes a dma-buf of such", buf->dev->sys->name);
	fd = ioctl(buf->dev->fd, EVFIO_DEVICE_CONTIG_EXPORT, &arg);
	return fd < 0 ? fail_errno("no dma-buf of a buffer of %s", buf->dev->sys->name) : fd;
}

int evfio_contig_free(struct evfio_contig *pub)
{
	struct contig *buf = (struct contig *)pub;
	int err;

	if (!buf)
		return 0;
	if (buf->dma) {
		err = evfio_dma_free(buf->dma);
	} else {
		munmap(pub->addr, pub->size);
		err = free_id(buf->dev, buf->id);
	}
	free(buf);
	return err;
}
