// SPDX-License-Identifier: GPL-2.0-only
/* Registered buffers, with evfio's VFIO and with one that has none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

#define NAME	"10000000.edu"
#define PAGES	16
#define STALE	64	/* so many the kernel leaves unflushed, and lib/buffer.c does not map at */

static size_t page;
static uint8_t *mem;

static struct evfio_slice slice(size_t from, size_t pages)
{
	return (struct evfio_slice){ from * page, pages * page };
}

static bool shows(const struct evfio_dma *window, size_t from, size_t pages)
{
	return window && window->addr == mem + from * page && window->size == pages * page &&
	       fake_mapped(window->iova, window->addr, window->size);
}

static void moves(struct evfio_container *ct)
{
	const struct evfio_slice none[3] = { { 0, 0 } };
	struct evfio_slice slices[3] = { slice(0, 1), slice(3, 2), slice(5, 1) };
	struct evfio_dma *windows[3] = { NULL };
	struct evfio_buffer *buf;
	unsigned int calls;
	uint64_t iova;

	is(evfio_buffer_new(ct, mem, PAGES * page, EVFIO_DMA_BOTH, &buf), 0, "register a buffer");
	is(fake.buffers, fake.evfio, "the kernel has it, if it can");
	is(fake.mappings, 0, "nothing is mapped");
	calls = fake.move_calls;
	is(evfio_buffer_move(buf, windows, slices, 3), 0, "three windows");
	is(fake.move_calls - calls, fake.evfio, "by one call");
	ok(shows(windows[0], 0, 1) && shows(windows[1], 3, 2) && shows(windows[2], 5, 1),
	   "they show what they should");
	is(evfio_buffer_free(buf), -EBUSY, "a buffer with windows is not given back");
	message_has("has 3 windows: unmap them first");

	iova = windows[0]->iova;
	slices[0] = slice(7, 1);
	slices[1].size = 0;
	is(evfio_buffer_move(buf, windows, slices, 2), 0, "move one and unmap one");
	ok(shows(windows[0], 7, 1) && windows[0]->iova != iova, "which is elsewhere");
	ok(!windows[1], "the other is none");
	is(fake.mappings, 2, "and not mapped");
	is(evfio_buffer_move(buf, windows + 1, &none[0], 1), 0, "nothing to nothing");
	is(evfio_dma_sync_for_device(windows[0], 0, page), 0, "a window is memory for DMA");
	is(evfio_dma_free(windows[0]), 0, "and is freed as such");
	windows[0] = NULL;
	is(evfio_buffer_move(buf, windows, none, 3), 0, "unmap all");
	is(fake.mappings, 0, "none is mapped");
	is(evfio_buffer_flush(buf), 0, "there is nothing to flush");
	is(evfio_buffer_free(buf), 0, "give it back");
	is(fake.buffers, 0, "the kernel has it no more");
	is(evfio_buffer_free(NULL), 0, "nor is no buffer one");
}

static void bad(struct evfio_container *ct)
{
	struct evfio_slice slices[2] = { slice(0, 1), slice(1, 1) };
	struct evfio_dma *windows[2] = { NULL }, *other;
	struct evfio_buffer *buf;

	is(evfio_buffer_new(ct, mem + 8, page, EVFIO_DMA_BOTH, &buf), -EINVAL, "within a page");
	is(evfio_buffer_new(ct, mem, page - 8, EVFIO_DMA_BOTH, &buf), -EINVAL, "a part of one");
	message_has("multiples of the IOMMU's page, 0x1000");
	is(evfio_buffer_new(ct, mem, 0, EVFIO_DMA_BOTH, &buf), -EINVAL, "nothing");
	is(evfio_buffer_new(ct, mem, page, EVFIO_BUFFER_LAZY, &buf), -EINVAL, "no direction");
	message_has("are no flags for DMA");

	is(evfio_buffer_new(ct, mem, PAGES * page, EVFIO_DMA_BOTH, &buf), 0, "a good one");
	is(evfio_buffer_move(buf, windows, slices, 1), 0, "with a window");
	is(evfio_buffer_move(buf, windows, slices, 0), -EINVAL, "no windows");
	is(evfio_buffer_move(buf, windows, slices, EVFIO_BUFFER_MOVE_MAX + 1), -EINVAL, "too many");
	message_has("1 to 256 windows are moved at a time, not 257");
	slices[1] = slice(PAGES, 1);
	is(evfio_buffer_move(buf, windows, slices, 2), -EINVAL, "a slice behind the end");
	slices[1] = slice(PAGES - 1, 2);
	is(evfio_buffer_move(buf, windows, slices, 2), -EINVAL, "across it");
	message_has("beyond a buffer of 0x10000");
	slices[1] = (struct evfio_slice){ 8, page };
	is(evfio_buffer_move(buf, windows, slices, 2), -EINVAL, "within a page");
	is(evfio_dma_alloc(ct, page, 0, EVFIO_DMA_BOTH, &other), 0, "other memory");
	slices[1] = slice(1, 1);
	windows[1] = other;
	is(evfio_buffer_move(buf, windows, slices, 2), -EINVAL, "is no window");
	message_has("window 2 of 2 is none of the buffer");
	evfio_dma_free(other);
	windows[1] = NULL;
	fake.map_errno = ENOSPC;
	is(evfio_buffer_move(buf, windows, slices, 2), -ENOSPC, "no room for another");
	message_has("dma_entry_limit");
	fake.map_errno = EIO;
	is(evfio_buffer_move(buf, windows, slices, 2), -EIO, "something else");
	fake.map_errno = 0;
	ok(shows(windows[0], 0, 1) && !windows[1] && fake.mappings == 1, "all is as it was");
	slices[0].size = 0;
	is(evfio_buffer_move(buf, windows, slices, 1), 0, "unmap");
	is(evfio_buffer_free(buf), 0, "give it back");

	evfio_dma_set_mask(ct, 17);
	is(evfio_buffer_new(ct, mem, PAGES * page, EVFIO_DMA_BOTH, &buf), 0, "once more");
	slices[0] = slice(0, PAGES);
	is(evfio_buffer_move(buf, windows, slices, 1), 0, "all IOVAs are to be had");
	is(evfio_buffer_move(buf, windows, slices, 1), -ENOSPC, "no others");
	message_has("free IOVAs");
	slices[0].size = 0;
	evfio_buffer_move(buf, windows, slices, 1);
	evfio_buffer_free(buf);
	evfio_dma_set_mask(ct, 64);
}

/* With evfio's, where a window was unmapped none is mapped soon. */
static void lazy(struct evfio_container *ct)
{
	struct evfio_slice one = slice(0, 1);
	struct evfio_dma *window = NULL;
	unsigned int i, j, again = 0;
	uint64_t iovas[2 * STALE];
	struct evfio_buffer *buf;

	is(evfio_buffer_new(ct, mem, PAGES * page, EVFIO_DMA_BOTH | EVFIO_BUFFER_LAZY, &buf), 0,
	   "a lazy one");
	for (i = 0; i < ARRAY_SIZE(iovas); i++) {
		if (evfio_buffer_move(buf, &window, &one, 1))
			break;
		iovas[i] = window->iova;
		for (j = i > STALE ? i - STALE : 0; j < i; j++)
			again += iovas[j] == iovas[i];
	}
	is(i, 2 * STALE, "move a window %d times", 2 * STALE);
	ok(!again || !fake.evfio, "not where one of the %d before it was", STALE);
	ok(fake.evfio ? fake.stale == 2 * STALE - 1 : !fake.stale, "lazily, if there is such a thing");
	ok(iovas[2 * STALE - 1] - iovas[0] <= (STALE + 1) * page, "IOVAs come back");
	is(evfio_buffer_flush(buf), 0, "flush");
	is(fake.stale, 0, "nothing is left to flush");
	one.size = 0;
	is(evfio_buffer_move(buf, &window, &one, 1), 0, "unmap");
	is(evfio_buffer_free(buf), 0, "give it back");
}

/* The container loses its IOMMU, and gets another. */
static void loss(void)
{
	struct evfio_slice slices[2] = { slice(0, 1), slice(1, 1) };
	struct evfio_dma *windows[2] = { NULL };
	struct evfio_container *ct;
	struct evfio_device *dev;
	struct evfio_buffer *buf;

	evfio_container_new(&ct);
	is(evfio_buffer_new(ct, mem, page, EVFIO_DMA_BOTH, &buf), -ENODEV, "without a device");
	evfio_open_in(ct, NAME, &dev);
	is(evfio_buffer_new(ct, mem, PAGES * page, EVFIO_DMA_BOTH | EVFIO_BUFFER_LAZY, &buf), 0,
	   "with one");
	evfio_buffer_move(buf, windows, slices, 2);
	evfio_buffer_move(buf, windows, slices, 2);
	evfio_close(dev);
	is(evfio_buffer_move(buf, windows, slices, 2), -ENODEV, "the device is closed");
	is(evfio_buffer_flush(buf), 0, "nothing is in reach");
	evfio_open_in(ct, NAME, &dev);
	is(fake.buffers + fake.mappings, 0, "the new IOMMU knows nothing");
	is(evfio_buffer_move(buf, windows, slices, 1), 0, "move one");
	is(fake.buffers, fake.evfio, "it knows the buffer again, if it can");
	is(fake.mappings, 1, "and the window");
	ok(shows(windows[0], 0, 1), "that moved");
	slices[0].size = 0;
	slices[1].size = 0;
	is(evfio_buffer_move(buf, windows, slices, 2), 0, "unmap it, and what was lost");
	is(fake.mappings, 0, "nothing is mapped");
	evfio_close(dev);
	is(evfio_buffer_free(buf), 0, "give it back without a device");
	evfio_container_put(ct);
}

static void all(bool evfio)
{
	struct evfio_device *dev;

	printf("# with %s VFIO\n", evfio ? "evfio's" : "the kernel's own");
	fake_reset();
	fake.evfio = evfio;
	is(evfio_open(NAME, &dev), 0, "open a device");
	moves(evfio_device_container(dev));
	bad(evfio_device_container(dev));
	lazy(evfio_device_container(dev));
	evfio_close(dev);
	loss();
}

int main(void)
{
	tree_new();
	page = (size_t)sysconf(_SC_PAGESIZE);
	mem = aligned_alloc(page, PAGES * page);
	memset(mem, 0, PAGES * page);
	all(true);
	all(false);
	free(mem);
	tree_free();
	return done();
}
