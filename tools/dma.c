// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio dma test: maps a page at both ends of each range of addresses that the IOMMU says it has,
 * and memory of the size of each of its pages. The device is open, and asked to do nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define LARGEST	(64ULL << 20)	/* of pages: the memory for one must be there */

/* Maps memory, at *at or anywhere, unmaps it, and notes that. */
static int test_map(struct evfio_container *ct, void *memory, size_t size, const uint64_t *at,
		    struct json_object *maps)
{
	struct json_object *doc = json_object_new_object();
	int64_t start = now_ns(), mapped;
	struct evfio_dma want = { .addr = memory, .size = size }, *dma;
	int err;

	if (at)
		want.iova = *at;
	err = at ? evfio_dma_map_at(ct, &want, EVFIO_DMA_BOTH, &dma) :
		   evfio_dma_map(ct, memory, size, EVFIO_DMA_BOTH, &dma);
	mapped = now_ns();
	json_object_array_add(maps, doc);
	if (err)
		return err;
	json_object_object_add(doc, "iova", json_address(dma->iova));
	json_object_object_add(doc, "size", json_object_new_uint64(size));
	json_object_object_add(doc, "map_ns", json_object_new_int64(mapped - start));
	mapped = now_ns();
	err = evfio_dma_free(dma);
	json_object_object_add(doc, "unmap_ns", json_object_new_int64(now_ns() - mapped));
	return err;
}

/* The first and the last page of each range. */
static int test_ranges(struct evfio_container *ct, void *page, size_t length,
		       struct json_object *maps)
{
	const uint64_t size = length;
	int i, err = 0, count = evfio_dma_ranges(ct, NULL, 0);
	struct evfio_iova_range *ranges = count > 0 ? calloc((size_t)count, sizeof(*ranges)) : NULL;

	if (!ranges || evfio_dma_ranges(ct, ranges, (unsigned int)count) != count)
		count = 0;
	for (i = 0; !err && i < count; i++) {
		const uint64_t first = (ranges[i].first + size - 1) & -size;
		/* A range may end with the last address there is. */
		const uint64_t last = ((ranges[i].last + 1) & -size) - size;

		if (first > last)
			continue;
		err = test_map(ct, page, length, &first, maps);
		if (!err)
			err = test_map(ct, page, length, &last, maps);
	}
	free(ranges);
	return err;
}

static int test(struct evfio_container *ct, struct json_object *maps)
{
	size_t size, smallest;
	uint64_t sizes;
	int err;

	err = evfio_dma_page_sizes(ct, &sizes);
	smallest = (size_t)(sizes & -sizes);
	for (size = smallest; !err && size && size <= LARGEST; size <<= 1) {
		void *memory;

		if (!(sizes & size))
			continue;
		memory = aligned_alloc(size, size);
		if (!memory)
			break;
		memset(memory, 0, size);
		if (size == smallest)
			err = test_ranges(ct, memory, size, maps);
		if (!err)
			err = test_map(ct, memory, size, NULL, maps);
		free(memory);
	}
	return err;
}

static void print_maps(struct json_object *maps)
{
	size_t i;

	for (i = 0; i < json_object_array_length(maps); i++) {
		struct json_object *doc = json_object_array_get_idx(maps, i);

		printf("%-12s", "mapped");
		print_size(json_object_get_uint64(json_object_object_get(doc, "size")));
		printf(" at %s in %" PRId64 " ns, unmapped in %" PRId64 " ns\n",
		       json_object_get_string(json_object_object_get(doc, "iova")),
		       json_object_get_int64(json_object_object_get(doc, "map_ns")),
		       json_object_get_int64(json_object_object_get(doc, "unmap_ns")));
	}
}

/* Nothing of the test must stay. */
static int check_rest(struct evfio_container *ct, uint32_t before)
{
	uint32_t after;
	uint64_t kib;

	if (!evfio_dma_available(ct, &after) && after != before)
		return failed("%" PRIu32 " mappings could be made before, %" PRIu32 " can now",
			      before, after);
	if (!evfio_container_pinned(ct, &kib) && kib)
		return failed("%" PRIu64 " KiB are still pinned", kib);
	return STATUS_OK;
}

int command_dma_test(char **args, const struct options *opts)
{
	struct json_object *doc, *maps;
	struct evfio_device *dev;
	struct evfio_container *ct;
	uint32_t before = 0;
	int status;

	if (evfio_open(args[0], &dev))
		return report();
	ct = evfio_device_container(dev);
	doc = json_object_new_object();
	maps = json_object_new_array();
	json_object_object_add(doc, "name", json_string(evfio_device_name(dev)));
	json_iommu(doc, ct);
	json_object_object_add(doc, "maps", maps);
	(void)evfio_dma_available(ct, &before);
	status = test(ct, maps) ? report() : check_rest(ct, before);
	evfio_close(dev);
	if (status == STATUS_OK && opts->json)
		return json_print(doc);
	if (status == STATUS_OK) {
		print_iommu(doc);
		print_maps(maps);
	}
	json_object_put(doc);
	return status;
}
