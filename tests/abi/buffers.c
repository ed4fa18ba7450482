// SPDX-License-Identifier: GPL-2.0-only
/*
 * buffers - registered buffers: pinned once, and then mapped, moved and unmapped in windows
 */
/* vm: timeout=120 oracle=yes */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libboard.h"
#include "libfault.h"
#include "libtap.h"

#define N	16		/* pages of most buffers */
#define STALE	64		/* so many are taken out by themselves */
#define LEN	64
#define HIGH	0x100000000ull
#define LOADED	0x200000000ull
#define LAZY	EVFIO_IOMMU_MOVE_LAZY

static size_t page;

/* A window of @pages at the @at-th page from HIGH on, that shows the buffer's @from-th and more. */
static struct evfio_iommu_range window(unsigned int at, unsigned int from, unsigned int pages)
{
	return (struct evfio_iommu_range){ HIGH + at * page, from * page, pages * page };
}

static int map(const struct dev *d, int id, struct evfio_iommu_range to)
{
	return dma_move(d->container, id, 0, NULL, 0, &to, 1);
}

/* Without taking out what is to be taken out. */
static int map_lazily(const struct dev *d, int id, struct evfio_iommu_range to)
{
	return dma_move(d->container, id, LAZY, NULL, 0, &to, 1);
}

static int unmap(const struct dev *d, struct evfio_iommu_range from, uint32_t flags)
{
	return dma_move(d->container, 0, flags, &from, 1, NULL, 0);
}

static int move(const struct dev *d, int id, struct evfio_iommu_range from,
		struct evfio_iommu_range to, uint32_t flags)
{
	return dma_move(d->container, id, flags, &from, 1, &to, 1);
}

/* Whether what the device has loaded from the pattern at @mem comes through the window's page. */
static bool stores_to(const struct dev *d, unsigned int at, uint8_t *mem)
{
	bool all;

	memset(mem, 0, LEN);
	edu_store(d, HIGH + at * page, LEN);
	all = mem_is(mem, LEN, 1);
	memset(mem, 0, LEN);
	return all;
}

/* Give the device the pattern to store. */
static void load_pattern(const struct dev *d, int c)
{
	uint8_t *mem = mem_new(page);

	mem_fill(mem, page, 1);
	is(dma_map(c, mem, LOADED, page, RO), 0, "map a pattern");
	is(edu_load(d, LOADED, LEN), 0, "the device loads it");
	is(dma_unmap(c, LOADED, page), page, "unmap it");
	mem_free(mem, page);
}

static void windows(struct dev *d)
{
	const int c = d->container;
	struct usage before = usage(c);
	uint8_t *mem = mem_new(N * page);
	int id = dma_register(c, mem, N * page, RW);

	ok(id >= 0, "register %d pages", N);
	is(pages_pinned(), before.pinned + N, "they are pinned");
	is(locked_kb(), before.locked + (long)(N * page / 1024), "and accounted");
	is(dma_avail(c), before.avail, "and not mapped");
	is(map(d, id, window(0, 3, 2)), 0, "map two as a window");
	is(dma_avail(c), before.avail - 1, "which is a mapping");
	is(pages_pinned(), before.pinned + N, "that pins nothing");
	is(locked_kb(), before.locked + (long)(N * page / 1024), "and accounts nothing");
	ok(stores_to(d, 0, mem + 3 * page) && stores_to(d, 1, mem + 4 * page),
	   "the device reaches both");
	is(move(d, id, window(0, 0, 2), window(2, 3, 2), 0), 0, "move it");
	ok(stores_to(d, 2, mem + 3 * page) && !stores_to(d, 0, mem + 3 * page),
	   "the device reaches it there, and not where it was");
	is(dma_unregister(c, id), -EBUSY, "a buffer with a window: EBUSY");
	is(unmap(d, window(2, 0, 2), 0), 0, "unmap it");
	ok(!stores_to(d, 2, mem + 3 * page), "the device does not reach it");
	is(dma_unregister(c, id), 0, "unregister");
	ok(usage_same(before, usage(c)), "nothing is left");
	is(dma_unregister(c, id), -ENOENT, "once more: ENOENT");

	id = dma_register(c, mem, N * page, RO);
	ok(!map(d, id, window(0, 0, N)) && !stores_to(d, 0, mem), "one to read: nothing is written");
	is(dma_unmap(c, HIGH, N * page), N * page, "VFIO_IOMMU_UNMAP_DMA has its window");
	is(map(d, id, window(0, 0, 1)) | map(d, id, window(2, 0, 1)), 0, "the same page twice");
	is(dma_unmap_all(c), 2 * page, "unmap all");
	is(dma_unregister(c, id), 0, "unregister");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
}

/* Pages in an order that is not that of memory. */
static uint8_t *scattered_new(unsigned int pages)
{
	uint8_t *mem = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(mem, pages * page, MADV_NOHUGEPAGE);
	for (unsigned int i = 0; i < pages; i++)
		mem[i * 7 % pages * page] = 1;		/* pages is not a multiple of 7 */
	return mem;
}

static void scattered(struct dev *d)
{
	enum { PAGES = 1000 };
	const int c = d->container;
	struct usage before = usage(c);
	uint8_t *mem = scattered_new(PAGES);
	int id = dma_register(c, mem, PAGES * page, RW);
	struct dev other;

	is(map(d, id, window(0, 0, PAGES)), 0, "all of %d scattered pages", PAGES);
	ok(stores_to(d, 0, mem) && stores_to(d, 500, mem + 500 * page) &&
	   stores_to(d, PAGES - 1, mem + (PAGES - 1) * page), "the device finds each");
	is(move(d, id, window(0, 0, PAGES), window(PAGES, 333, 300), LAZY), 0, "move to a part");
	ok(stores_to(d, PAGES, mem + 333 * page) && stores_to(d, PAGES + 299, mem + 632 * page),
	   "the device finds its first and its last");
	dev_open_in(&other, EDU3, c);	/* not coherent, and so in a domain of its own */
	load_pattern(&other, c);
	ok(stores_to(&other, PAGES, mem + 333 * page), "so does one that comes later");
	other.container = -1;
	dev_close(&other);
	is(unmap(d, window(PAGES, 0, 300), 0), 0, "unmap");
	is(dma_unregister(c, id), 0, "unregister");
	ok(usage_same(before, usage(c)), "nothing is left");
	munmap(mem, PAGES * page);
}

/* What is unmapped lazily can be reached for a while; but not by who must not. */
static void lazy(struct dev *d)
{
	const int c = d->container;
	struct usage before = usage(c);
	uint8_t *mem = mem_new(N * page), *other = mem_new(page);
	int id = dma_register(c, mem, N * page, RW), failed = 0;

	map(d, id, window(0, 0, 1));
	is(move(d, id, window(0, 0, 1), window(1, 1, 1), LAZY), 0, "move lazily");
	ok(stores_to(d, 1, mem + page), "the device reaches the new one");
	ok(stores_to(d, 0, mem), "and still the old one");
	is(unmap(d, window(0, 0, 1), 0), 0, "which is not there for the user: unmap it again");
	ok(!stores_to(d, 0, mem), "that takes it out of reach");

	is(unmap(d, window(1, 0, 1), LAZY), 0, "unmap lazily");
	is(dma_move(c, 0, 0, NULL, 0, NULL, 0), 0, "a call for nothing");
	ok(!stores_to(d, 1, mem + page), "takes it out of reach");

	map(d, id, window(0, 0, 1));
	unmap(d, window(0, 0, 1), LAZY);
	is(dma_map(c, other, HIGH, page, RW), 0, "map where a lazily unmapped one was");
	ok(!stores_to(d, 0, mem) && stores_to(d, 0, other), "the device reaches the new memory");
	is(unmap(d, window(0, 0, 1), LAZY), -EINVAL, "which is not a window: EINVAL");
	is(dma_unmap(c, HIGH, page), page, "unmap that");

	map(d, id, window(0, 0, 1));
	unmap(d, window(0, 0, 1), LAZY);
	is(dma_unmap(c, HIGH, page), 0, "VFIO_IOMMU_UNMAP_DMA of it: 0 bytes");
	ok(!stores_to(d, 0, mem), "takes it out of reach");

	map(d, id, window(0, 0, 4));
	unmap(d, window(0, 0, 4), LAZY);
	is(dma_unmap(c, HIGH + page, page), 0, "of a page of it: 0 bytes");
	ok(!stores_to(d, 3, mem + 3 * page), "takes all of it out of reach");

	for (unsigned int i = 0; i < STALE; i++)
		failed |= map_lazily(d, id, window(i, 0, 1)) | unmap(d, window(i, 0, 1), LAZY);
	is(failed, 0, "unmap %d, one after the other", STALE);
	is(dma_avail(c), before.avail, "they have gone by themselves");
	ok(!stores_to(d, 0, mem), "out of reach");

	for (unsigned int i = 0; i < 40; i++)
		failed |= map_lazily(d, id, window(i * N, 0, N)) |
			  unmap(d, window(i * N, 0, N), LAZY);
	is(failed, 0, "as much of the buffer as its windows may have, and more, lazily");

	map(d, id, window(0, 0, 1));
	unmap(d, window(0, 0, 1), LAZY);
	is(dma_unregister(c, id), 0, "unregister with one to be taken out");
	ok(!stores_to(d, 0, mem), "takes it out of reach");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
	mem_free(other, page);
}

/* All of a call, or nothing. */
static void none_at_all(struct dev *d)
{
	const int c = d->container;
	struct usage before = usage(c), between;
	uint8_t *mem = mem_new(N * page);
	const struct evfio_iommu_range old[] = { window(0, 0, 1), window(2, 1, 1) };
	struct evfio_iommu_range new[] = { window(4, 2, 1), window(6, 3, 1), window(8, 4, 1) };
	int id = dma_register(c, mem, N * page, RW), failed = 0;
	const struct {
		const char *what;
		struct evfio_iommu_range range;
		int error;
	} bad[] = {
		{ "a range that is taken", window(10, 4, 1), -EEXIST },
		{ "beyond the buffer", window(8, N, 1), -EINVAL },
		{ "across its end", window(8, N - 1, 2), -EINVAL },
		{ "far beyond it", { HIGH + 8 * page, -page, page }, -EINVAL },
		{ "nothing of it", window(8, 4, 0), -EINVAL },
		{ "nearly all there is", { HIGH + 8 * page, 0, -page }, -EOVERFLOW },
		{ "an IOVA that is not aligned", { HIGH + 8 * page + 1, 0, page }, -EINVAL },
		{ "an offset that is not aligned", { HIGH + 8 * page, 1, page }, -EINVAL },
		{ "a range that wraps", { -page, 0, 2 * page }, -EOVERFLOW },
		{ "out of order", window(5, 4, 1), -EINVAL },
	};

	is(dma_move(c, id, 0, NULL, 0, old, 2), 0, "map two windows by one call");
	is(map(d, id, window(10, 5, 1)), 0, "and a third");
	between = usage(c);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		new[2] = bad[i].range;
		is(dma_move(c, id, 0, old, 2, new, 3), bad[i].error, "move to %s", bad[i].what);
	}
	is(dma_move(c, id, 0, old, 2, old, 2), -EEXIST, "move to where they are: EEXIST");
	is(dma_move(c, id, 0, old, 2, old + 1, 1), -EEXIST, "move one to where the other is: EEXIST");
	new[2] = window(8, 4, 1);
	is(dma_move(c, id + 1, 0, old, 2, new, 3), -ENOENT, "of a buffer that is none: ENOENT");
	ok(usage_same(between, usage(c)), "all is as it was");
	ok(stores_to(d, 0, mem) && stores_to(d, 2, mem + page) && !stores_to(d, 4, mem + 2 * page),
	   "also for the device");
	is(dma_move(c, id, 0, old, 2, new, 3), 0, "move two to three");
	ok(stores_to(d, 8, mem + 4 * page) && !stores_to(d, 2, mem + page), "the device sees it");
	is(dma_move(c, 0, 0, new, 3, NULL, 0), 0, "unmap three");
	is(unmap(d, window(0, 0, 100), 0), 0, "and whatever there is");

	for (unsigned int i = 0; i < 16; i++)
		failed |= map(d, id, window(i * N, 0, N));
	is(failed, 0, "16 windows of all of it");
	is(map(d, id, window(16 * N, 0, 1)), -ENOSPC, "one more: ENOSPC");
	dma_unmap_all(c);
	dma_unregister(c, id);
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
}

static void bad_arguments(struct dev *d)
{
	const int c = d->container;
	struct usage before = usage(c);
	uint8_t *mem = mem_new(2 * page);
	struct {
		struct evfio_iommu_move move;
		struct evfio_iommu_range ranges[EVFIO_IOMMU_RANGES_MAX + 1];
	} *arg = calloc(1, sizeof(*arg));
	struct evfio_iommu_register reg = { .flags = RW, .vaddr = (uintptr_t)mem, .size = page };
	struct evfio_iommu_unregister unreg = { .argsz = sizeof(unreg) - 1 };
	struct evfio_iommu_register *answer;
	const struct {
		const char *what;
		uint32_t argsz, flags, nr_unmap, nr_map, pad;
	} bad[] = {
		{ "argsz 0", 0, 0, 1, 0, 0 },
		{ "argsz without a range", sizeof(arg->move), 0, 1, 0, 0 },
		{ "a byte too small", sizeof(arg->move) + 2 * sizeof(arg->ranges[0]) - 1,
		  0, 1, 1, 0 },
		{ "a flag that is not known", sizeof(*arg), 2, 1, 0, 0 },
		{ "too many", sizeof(*arg), 0, 1, EVFIO_IOMMU_RANGES_MAX, 0 },
		{ "more than can be counted", ~0u, 0, ~0u, 2, 0 },
		{ "pad", sizeof(*arg), 0, 1, 0, 1 },
	};

	for (unsigned int i = 0; i <= EVFIO_IOMMU_RANGES_MAX; i++)
		arg->ranges[i] = window(i, 0, 1);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		arg->move = (struct evfio_iommu_move){
			.argsz = bad[i].argsz, .flags = bad[i].flags, .nr_unmap = bad[i].nr_unmap,
			.nr_map = bad[i].nr_map, .pad = bad[i].pad,
		};
		is(xioctl(c, EVFIO_IOMMU_MOVE, arg), -EINVAL, "move, %s: EINVAL", bad[i].what);
	}
	is(xioctl(c, EVFIO_IOMMU_MOVE, NULL), -EFAULT, "move, no argument: EFAULT");

	reg.argsz = sizeof(reg) - 1;
	is(xioctl(c, EVFIO_IOMMU_REGISTER, &reg), -EINVAL, "register, argsz too small: EINVAL");
	reg.argsz = sizeof(reg);
	reg.pad = 1;
	is(xioctl(c, EVFIO_IOMMU_REGISTER, &reg), -EINVAL, "register, pad: EINVAL");
	is(dma_register(c, mem, page, 0), -EINVAL, "register, no flags: EINVAL");
	is(dma_register(c, mem, page, 4), -EINVAL, "register, a flag that is not known: EINVAL");
	is(dma_register(c, mem + 1, page, RW), -EINVAL, "an address that is not aligned: EINVAL");
	is(dma_register(c, mem, page - 1, RW), -EINVAL, "a size that is not: EINVAL");
	is(dma_register(c, mem, 0, RW), -EINVAL, "nothing: EINVAL");
	is(dma_register(c, (void *)-page, 2 * page, RW), -EOVERFLOW, "what wraps: EOVERFLOW");
	munmap(mem + page, page);
	is(dma_register(c, mem, 2 * page, RW), -EFAULT, "memory that is not there: EFAULT");
	is(dma_register(c, (void *)d->regs, d->size, RW), -EFAULT, "registers: EFAULT");
	answer = mem_new(page);
	*answer = (struct evfio_iommu_register){
		.argsz = sizeof(*answer), .flags = RW, .vaddr = (uintptr_t)mem, .size = page,
	};
	mprotect(answer, page, PROT_READ);
	is(xioctl(c, EVFIO_IOMMU_REGISTER, answer), -EFAULT, "nobody can be told the number: EFAULT");
	mem_free(answer, page);
	is(xioctl(c, EVFIO_IOMMU_UNREGISTER, &unreg), -EINVAL, "unregister, argsz too small: EINVAL");
	unreg = (struct evfio_iommu_unregister){ .argsz = sizeof(unreg), .flags = 1 };
	is(xioctl(c, EVFIO_IOMMU_UNREGISTER, &unreg), -EINVAL, "unregister, flags: EINVAL");
	ok(usage_same(before, usage(c)), "nothing is left");
	free(arg);
	munmap(mem, page);
}

static int over_the_limit(void *arg)
{
	const struct rlimit limit = { N * page, N * page };
	const struct dev *d = arg;
	uint8_t *mem = mem_new((N + 1) * page);
	int id;

	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (dma_register(d->container, mem, (N + 1) * page, RW) != -ENOMEM || locked_kb())
		return 1;
	id = dma_register(d->container, mem, N * page, RW);
	if (id < 0 || map(d, id, window(0, 0, N)) || map(d, id, window(N, 0, N)))
		return 2;
	return dma_unmap_all(d->container) == (int64_t)(2 * N * page) &&
	       !dma_unregister(d->container, id) && !locked_kb() ? 0 : 3;
}

/* What a container takes along when it is closed. */
static void closed(void)
{
	long pinned = pages_pinned(), locked = locked_kb();
	uint8_t *mem = scattered_new(N);
	struct dev d;
	int id;

	dev_open(&d, EDU0);
	id = dma_register(d.container, mem, N * page, RW);
	ok(id >= 0 && dma_register(d.container, mem, page, RW) >= 0 &&
	   !map(&d, id, window(0, 0, N)) && !map(&d, id, window(N, 0, 1)) &&
	   !unmap(&d, window(N, 0, 1), LAZY), "two buffers, a window, and one unmapped lazily");
	dev_close(&d);
	is(pages_pinned(), pinned, "nothing stays pinned");
	is(locked_kb(), locked, "nothing stays accounted");
	munmap(mem, N * page);
}

/* ---- side by side ---- */

struct mover {
	pthread_t thread;
	const struct dev *d;
	uint8_t *mem;
	unsigned int at;
	int wrong;
};

#define ROUNDS 300

/* Each has a place of its own, and one that all want. */
static void *moves(void *arg)
{
	struct mover *me = arg;
	int id, ret;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		const struct evfio_iommu_range ranges[] = {
			window(me->at, i % N, 1), window(100, (i + 1) % N, 1),
		};
		const struct evfio_iommu_range there = window(me->at + 10, 0, 1);

		id = dma_register(me->d->container, me->mem, N * page, RW);
		ret = dma_move(me->d->container, id, i % 2, NULL, 0, ranges, 2);
		me->wrong += id < 0 || (ret && ret != -EEXIST);
		if (ret)
			me->wrong += !!map(me->d, id, ranges[0]);
		me->wrong += !!move(me->d, id, ranges[0], there, i % 2);
		me->wrong += !ret && unmap(me->d, ranges[1], i % 3 ? LAZY : 0);
		me->wrong += !!unmap(me->d, there, LAZY);
		me->wrong += !!dma_unregister(me->d->container, id);
	}
	return NULL;
}

static void side_by_side(struct dev *d)
{
	enum { THREADS = 3 };
	struct usage before = usage(d->container);
	uint8_t *mem = mem_new(N * page);
	struct mover movers[THREADS];
	int wrong = 0;

	for (unsigned int i = 0; i < THREADS; i++) {
		movers[i] = (struct mover){ .d = d, .mem = mem, .at = i };
		pthread_create(&movers[i].thread, NULL, moves, &movers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(movers[i].thread, NULL);
		wrong += movers[i].wrong;
	}
	is(wrong, 0, "%d threads, %d rounds each: all as if alone", THREADS, ROUNDS);
	ok(usage_same(before, usage(d->container)), "nothing is left");
	mem_free(mem, N * page);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	board_take(EDU0);
	board_take(EDU3);
	dev_open(&d, EDU0);
	is(check_extension(d.container, EVFIO_EXT_IOMMU_BUFFER), !tap_kernel,
	   "VFIO_CHECK_EXTENSION");
	if (tap_kernel) {
		is(dma_register(d.container, &d, page, RW), -ENOTTY, "EVFIO_IOMMU_REGISTER: ENOTTY");
		is(dma_unregister(d.container, 0), -ENOTTY, "EVFIO_IOMMU_UNREGISTER: ENOTTY");
		is(dma_move(d.container, 0, 0, NULL, 0, NULL, 0), -ENOTTY, "EVFIO_IOMMU_MOVE: ENOTTY");
		dev_close(&d);
		return tap_done();
	}
	load_pattern(&d, d.container);
	windows(&d);
	scattered(&d);
	lazy(&d);
	none_at_all(&d);
	bad_arguments(&d);
	side_by_side(&d);
	is(in_child_unprivileged(over_the_limit, &d), 0, "RLIMIT_MEMLOCK counts buffers, and not windows");
	dev_close(&d);
	closed();
	return tap_done();
}
