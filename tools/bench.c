// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio bench: how long what drivers do again and again takes, on this machine, with the VFIO that
 * is loaded. The device is open, and asked to do nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tool.h"

#define MANY	64U		/* pages mapped, or moved, by one call */
#define LARGE	(2UL << 20)
#define SAMPLES	9
#define AT_LEAST	10000000	/* nanoseconds of a sample, for the clock is coarse */

struct bench {
	const char *name;	/* of the device */
	struct evfio_container *ct;
	uint8_t *memory;	/* LARGE bytes */
	size_t page;
	struct evfio_buffer *buffer;	/* of the same bytes */
	struct evfio_dma *windows[MANY];
	bool odd;		/* where the windows are */
};

static int open_close(struct bench *b)
{
	struct evfio_device *dev;
	int err = evfio_open(b->name, &dev);

	if (!err)
		evfio_close(dev);
	return err;
}

static int map(struct bench *b, size_t size)
{
	struct evfio_dma *dma;
	int err = evfio_dma_map(b->ct, b->memory, size, EVFIO_DMA_BOTH, &dma);

	return err ? err : evfio_dma_free(dma);
}

static int map_page(struct bench *b)
{
	return map(b, b->page);
}

static int map_large(struct bench *b)
{
	return map(b, LARGE);
}

static int map_many(struct bench *b)
{
	struct evfio_dma *dmas[MANY];
	struct iovec pieces[MANY];
	unsigned int i;
	int err;

	for (i = 0; i < MANY; i++)
		pieces[i] = (struct iovec) { b->memory + i * b->page, b->page };
	err = evfio_dma_map_many(b->ct, pieces, MANY, EVFIO_DMA_BOTH, dmas);
	return err ? err : evfio_dma_free_many(dmas, MANY);
}

static int move(struct bench *b, unsigned int count)
{
	struct evfio_slice slices[MANY];
	unsigned int i;

	b->odd = !b->odd;
	for (i = 0; i < count; i++)
		slices[i] = (struct evfio_slice) { (i + b->odd) * b->page, b->page };
	return evfio_buffer_move(b->buffer, b->windows, slices, count);
}

static int move_one(struct bench *b)
{
	return move(b, 1);
}

static int move_many(struct bench *b)
{
	return move(b, MANY);
}

/* @each: of how many a run is */
static const struct row {
	const char *what;
	int (*run)(struct bench *b);
	unsigned int each;
} rows[] = {
	{ "open, close", open_close, 1 },
	{ "map, unmap a page", map_page, 1 },
	{ "map, unmap a page, 64 by two calls", map_many, MANY },
	{ "map, unmap 2 MiB", map_large, 1 },
	{ "move a window of a page", move_one, 1 },
	{ "move a window of a page, 64 by one call", move_many, MANY },
};

/* So many times; how long that took, or a negative errno. */
static int64_t sample(const struct row *row, struct bench *b, uint64_t runs)
{
	const int64_t start = now_ns();
	uint64_t i;

	for (i = 0; i < runs; i++) {
		int err = row->run(b);

		if (err)
			return err;
	}
	return now_ns() - start;
}

static int ascending(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The first samples only find out how many runs it takes, and warm up. */
static int measure(const struct row *row, struct bench *b, struct json_object *list)
{
	struct json_object *doc;
	int64_t times[SAMPLES];
	uint64_t runs = 1;
	unsigned int i;
	double all;

	while ((times[0] = sample(row, b, runs)) >= 0 && times[0] < AT_LEAST)
		runs *= 2;
	for (i = 0; i < SAMPLES && times[0] >= 0; i++) {
		times[i] = sample(row, b, runs);
		if (times[i] < 0)
			times[0] = times[i];
	}
	if (times[0] < 0)
		return (int)times[0];
	qsort(times, SAMPLES, sizeof(times[0]), ascending);
	all = (double)(runs * row->each);
	doc = json_object_new_object();
	json_object_object_add(doc, "what", json_string(row->what));
	json_object_object_add(doc, "median_ns",
			       json_object_new_double((double)times[SAMPLES / 2] / all));
	json_object_object_add(doc, "lowest_ns", json_object_new_double((double)times[0] / all));
	json_object_object_add(doc, "highest_ns",
			       json_object_new_double((double)times[SAMPLES - 1] / all));
	json_object_array_add(list, doc);
	return 0;
}

static double number(struct json_object *doc, const char *key)
{
	return json_object_get_double(json_object_object_get(doc, key));
}

static void print_rows(struct json_object *list)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *doc = json_object_array_get_idx(list, i);

		printf("%-40s %10.0f ns (%.0f to %.0f)\n",
		       json_object_get_string(json_object_object_get(doc, "what")),
		       number(doc, "median_ns"), number(doc, "lowest_ns"),
		       number(doc, "highest_ns"));
	}
}

/* All but the first row, which opens the device itself. What has no IOMMU maps nothing. */
static int run_open(struct bench *b, struct json_object *list)
{
	struct evfio_device *dev;
	size_t i;
	int err = evfio_open(b->name, &dev);

	if (err)
		return err;
	b->ct = evfio_device_container(dev);
	err = evfio_buffer_new(b->ct, b->memory, LARGE, EVFIO_DMA_BOTH, &b->buffer);
	for (i = 1; !err && i < ARRAY_SIZE(rows); i++)
		err = measure(&rows[i], b, list);
	evfio_dma_free_many(b->windows, MANY);
	evfio_buffer_free(b->buffer);
	evfio_close(dev);
	return err == -EOPNOTSUPP ? 0 : err;
}

int command_bench(char **args, const struct options *opts)
{
	struct bench b = { .name = args[0], .page = (size_t)sysconf(_SC_PAGESIZE) };
	struct json_object *list = json_object_new_array();
	int status = STATUS_OK;

	b.memory = aligned_alloc(LARGE, LARGE);
	if (!b.memory) {
		json_object_put(list);
		return failed("no memory");
	}
	memset(b.memory, 0, LARGE);
	if (measure(&rows[0], &b, list) || run_open(&b, list))
		status = report();
	free(b.memory);
	if (status == STATUS_OK && opts->json)
		return json_print(list);
	if (status == STATUS_OK)
		print_rows(list);
	json_object_put(list);
	return status;
}
