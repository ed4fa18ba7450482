// SPDX-License-Identifier: GPL-2.0-only
/* Contiguous buffers, for a device with an IOMMU and for the same without it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

#define NAME	"10000000.edu"
#define BUS	0x90000000u	/* libvfio.c's */

static size_t page;

static void refused(struct evfio_device *dev, int err, const char *text)
{
	struct evfio_contig *buf;

	fake.pin_errno = err;
	is(evfio_contig_alloc(dev, page, 0, 0, &buf), -err, "errno %d", err);
	message_has(text);
	fake.pin_errno = 0;
}

static void bad_arguments(struct evfio_device *dev)
{
	struct evfio_contig *buf;

	is(evfio_contig_alloc(dev, 0, 0, 0, &buf), -EINVAL, "no size");
	is(evfio_contig_alloc(dev, SIZE_MAX, 0, 0, &buf), -EINVAL, "all there is");
	is(evfio_contig_alloc(dev, page, 3, 0, &buf), -EINVAL, "alignment 3");
	message_has("0x3 is not a power of two");
	is(evfio_contig_alloc(dev, page, 0, 4, &buf), -EINVAL, "an unknown kind");
	is(evfio_contig_alloc(dev, page, 0, 3, &buf), -EINVAL, "two kinds");
	message_has("0x3 is no kind");
	is(fake.contigs, 0, "the kernel was not asked");
}

static void beyond(const struct evfio_contig *buf)
{
	is(evfio_contig_sync_for_device(buf, 0, buf->size), 0, "handed over");
	is(evfio_contig_sync_for_cpu(buf, buf->size, 0), 0, "taken over");
	is(evfio_contig_sync_for_device(buf, 1, buf->size), -EINVAL, "beyond its end");
	is(evfio_contig_sync_for_cpu(buf, buf->size + 1, 0), -EINVAL, "farther beyond");
	message_has("beyond a buffer");
}

static void mapped(struct evfio_device *dev)
{
	struct evfio_contig *buf;

	is(evfio_contig_alloc(dev, page + 1, 1 << 20, 0, &buf), 0, "behind an IOMMU");
	ok(buf->size == 2 * page, "whole pages");
	ok(!(buf->address & 0xfffff), "aligned");
	ok(fake_mapped(buf->address, buf->addr, buf->size), "are mapped");
	is(fake.contigs, 0, "without the kernel's buffers");
	beyond(buf);
	is(evfio_contig_export(buf), -EOPNOTSUPP, "no dma-buf");
	message_has("/dev/udmabuf");
	is(evfio_contig_free(buf), 0, "given back");
	is(fake.mappings, 0, "nothing is mapped");
	evfio_dma_set_mask(evfio_device_container(dev), 12);
	is(evfio_contig_alloc(dev, page, 0, 0, &buf), -ENOSPC, "12 bits reach no IOVA");
	message_has("below 2^12");
	is(fake.mappings, 0, "nothing is mapped");
	evfio_dma_set_mask(evfio_device_container(dev), 64);
}

static void direct(struct evfio_device *dev)
{
	struct evfio_container *ct = evfio_device_container(dev);
	struct evfio_contig *buf;
	int fd;

	is(evfio_contig_alloc(dev, page, 0, 0, &buf), -EINVAL, "for nobody knows how many bits");
	message_has("how many address bits has " NAME "?");
	is(fake.contigs, 0, "the kernel was not asked");
	evfio_dma_set_mask(ct, 28);
	is(evfio_contig_alloc(dev, page + 1, 8192, EVFIO_CONTIG_WC, &buf), 0, "without one");
	is(fake.contigs, 1, "the kernel has a buffer");
	ok(fake.contig.mask == 0xfffffff, "for 28 bits");
	ok(fake.contig.alignment == 8192, "aligned as asked for");
	is(fake.contig.flags, EVFIO_CONTIG_WC, "of that kind");
	ok(buf->size == 2 * page && fake.contig.size == buf->size, "of whole pages");
	ok(buf->address == BUS, "at the device's address");
	memset(buf->addr, 1, buf->size);
	beyond(buf);
	fd = evfio_contig_export(buf);
	ok(fd >= 0, "a dma-buf");
	close(fd);
	fake.pin_errno = EMFILE;
	is(evfio_contig_export(buf), -EMFILE, "no more of them");
	message_has("no dma-buf of a buffer of " NAME);
	fake.pin_errno = 0;
	is(evfio_contig_free(buf), 0, "given back");
	is(fake.contigs, 0, "the kernel has none");

	evfio_dma_set_mask(ct, 64);
	is(evfio_contig_alloc(dev, page, 0, EVFIO_CONTIG_CACHED, &buf), 0, "64 bits");
	ok(fake.contig.mask == UINT64_MAX, "all of them");
	fake.contigs = 0;
	is(evfio_contig_free(buf), -ENOENT, "what is not there");
	message_has("cannot free a contiguous buffer");
	is(evfio_contig_free(NULL), 0, "nothing");

	fake.contig_offset = 3;
	is(evfio_contig_alloc(dev, page, 0, 0, &buf), -EINVAL, "one that cannot be mapped");
	message_has("cannot map a contiguous buffer");
	is(fake.contigs, 0, "is given back");
	fake.contig_offset = 0;
	evfio_dma_set_mask(ct, 32);
}

int main(void)
{
	struct evfio_contig *buf;
	struct evfio_device *dev;

	tree_new();
	fake_reset();
	page = (size_t)sysconf(_SC_PAGESIZE);
	is(evfio_open(NAME, &dev), 0, "a device with an IOMMU");
	bad_arguments(dev);
	mapped(dev);
	dev->sys->coherent = 0;
	is(evfio_contig_alloc(dev, page, 0, 0, &buf), -EOPNOTSUPP, "it is not coherent");
	message_has("it takes EVFIO_CONTIG_CACHED");
	is(evfio_contig_alloc(dev, page, 0, EVFIO_CONTIG_CACHED, &buf), 0, "then cached");
	is(evfio_contig_free(buf), 0, "given back");
	dev->sys->coherent = 1;
	evfio_close(dev);

	tree_remove("dev/vfio/3");
	tree_text("dev/vfio/noiommu-3", "");
	is(evfio_open(NAME, &dev), 0, "the device without it");
	bad_arguments(dev);
	direct(dev);
	refused(dev, ENOTTY, "load evfio's modules");
	refused(dev, ERANGE, "by 32 bits of address");
	refused(dev, EOPNOTSUPP, "reaches memory directly");
	refused(dev, ENOMEM, "in one piece");
	refused(dev, ENODEV, "cannot allocate");
	evfio_close(dev);
	tree_free();
	return done();
}
