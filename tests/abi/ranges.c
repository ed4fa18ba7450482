// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranges - many ranges mapped or unmapped by one call: all of them or none
 */
/* vm: timeout=120 oracle=yes */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libboard.h"
#include "libfault.h"
#include "libtap.h"

#define N		64
#define LEN		EDU_BUFFER_MAX
#define HIGH		0x100000000ull	/* clear of the doorbell's window */
#define PEER		0x200000000ull
#define ARGSZ(nr)	((uint32_t)(sizeof(struct evfio_iommu_ranges) + \
				    (nr) * sizeof(struct evfio_iommu_range)))

static size_t page;

/* A page each, with a gap of a page behind it. */
static void with_gaps(struct evfio_iommu_range *ranges, const uint8_t *mem, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		ranges[i] = (struct evfio_iommu_range){
			.iova = HIGH + 2 * i * page,
			.vaddr = (uintptr_t)mem + i * page,
			.size = page,
		};
}

static void all_at_once(struct dev *d)
{
	static const unsigned int used[] = { 1, 30, N - 1 };	/* a transfer takes 100 ms */
	const unsigned int each = sizeof(used) / sizeof(used[0]);
	struct usage before = usage(d->container);
	struct evfio_iommu_range ranges[N];
	uint8_t *mem = mem_new(N * page);
	unsigned int failed = 0;
	struct dev other;

	/* Not coherent, and so in a domain of its own. */
	dev_open_in(&other, EDU3, d->container);
	with_gaps(ranges, mem, N);
	is(dma_map_ranges(d->container, ranges, N, RW), 0, "map %d pages by one call", N);
	is(dma_avail(d->container), before.avail - N, "each is a mapping");
	is(pages_pinned(), before.pinned + N, "each is pinned");
	is(locked_kb(), before.locked + (long)(N * page / 1024), "each is accounted");

	mem_fill(mem, page, 1);
	failed += !!edu_load(d, HIGH, LEN);
	for (unsigned int i = 0; i < each; i++)
		failed += edu_store(d, ranges[used[i]].iova, LEN) ||
			  !mem_is(mem + used[i] * page, LEN, 1);
	is(failed, 0, "the device reads the first and writes others");
	memset(mem + page, 0, page);
	failed += !!edu_load(&other, HIGH, LEN) || edu_store(&other, ranges[1].iova, LEN);
	ok(!failed && mem_is(mem + page, LEN, 1), "so does one in another domain");

	is(dma_unmap_ranges(d->container, ranges, N), N * page, "unmap them by one call");
	mem_fill(mem, N * page, 2);
	for (unsigned int i = 0; i < each; i++)
		failed += edu_store(d, ranges[used[i]].iova, LEN) ||
			  edu_store(&other, ranges[used[i]].iova, LEN);
	ok(!failed && mem_is(mem, N * page, 2), "nothing reaches them");
	ok(usage_same(before, usage(d->container)), "nothing is left");

	is(dma_map_ranges(d->container, ranges, N, RO), 0, "map them for reading");
	failed += edu_load(d, HIGH, LEN) || edu_store(d, ranges[1].iova, LEN);
	ok(!failed && mem_is(mem, N * page, 2), "nothing is written");
	is(dma_unmap(d->container, HIGH, 2 * N * page), N * page, "VFIO_IOMMU_UNMAP_DMA has them all");
	other.container = -1;
	dev_close(&other);
	mem_free(mem, N * page);
}

/* Ranges need not be what was mapped: each is what VFIO_IOMMU_UNMAP_DMA would be asked for. */
static void unmap_what_there_is(struct dev *d)
{
	const int c = d->container;
	struct evfio_iommu_range ranges[N], some[] = {
		{ HIGH, 1, 5 * page },			/* 0, 1 and 2, and gaps */
		{ HIGH + 5 * page, ~0ull, page },	/* a gap */
		{ HIGH + 8 * page, 0, page },		/* 4 */
	};
	uint8_t *mem = mem_new(N * page);

	with_gaps(ranges, mem, N);
	is(dma_map_ranges(c, ranges, N, RW), 0, "map");
	is(dma_unmap_ranges(c, some, 3), 4 * page, "unmap three, none, and one");
	is(dma_unmap_ranges(c, some, 3), 0, "again: 0 bytes");
	is(dma_unmap_ranges(c, ranges, N), (N - 4) * page, "the rest");

	ranges[1].size = 2 * page;
	ranges[1].vaddr = ranges[0].vaddr;
	is(dma_map_ranges(c, ranges, 2, RW), 0, "map one page, and two");
	some[0].size = 3 * page;
	is(dma_unmap_ranges(c, some, 1), -EINVAL, "half of the second: EINVAL");
	some[0] = (struct evfio_iommu_range){ HIGH, 0, page };
	some[1] = (struct evfio_iommu_range){ HIGH + 3 * page, 0, page };
	is(dma_unmap_ranges(c, some, 2), -EINVAL, "the first, and half of the second: EINVAL");
	is(dma_unmap_ranges(c, ranges, 2), 3 * page, "nothing of that was unmapped");
	mem_free(mem, N * page);
}

/* What one of the ranges cannot have, none gets. */
static void none_at_all(struct dev *d)
{
	const int c = d->container;
	uint8_t *mem = mem_new(N * page), *hole = mem_new(2 * page);
	struct evfio_iommu_range ranges[N];
	struct usage before;

	munmap(hole + page, page);
	is(dma_map(c, mem, HIGH + 60 * page, page, RW), 0, "a page is mapped already");
	before = usage(c);
	with_gaps(ranges, mem, N);
	is(dma_map_ranges(c, ranges, N, RW), -EEXIST, "a range that is taken: EEXIST");
	ok(usage_same(before, usage(c)), "nothing is left");
	is(dma_unmap(c, HIGH, 60 * page), 0, "nothing is mapped before it");
	is(dma_unmap(c, HIGH, 61 * page), page, "it is");

	before = usage(c);
	ranges[40].vaddr = (uintptr_t)hole + page;
	is(dma_map_ranges(c, ranges, N, RW), -EFAULT, "memory that is not there: EFAULT");
	with_gaps(ranges, mem, N);
	ranges[N - 1].size = 1000 * page;
	ranges[N - 1].vaddr = (uintptr_t)hole + page - 999 * page;
	is(dma_map_ranges(c, ranges, N, RW), -EFAULT, "the last page of the last: EFAULT");
	with_gaps(ranges, mem, N);
	ranges[40].vaddr++;
	is(dma_map_ranges(c, ranges, N, RW), -EINVAL, "an address that is not aligned: EINVAL");
	with_gaps(ranges, mem, N);
	ranges[40].size = 0;
	is(dma_map_ranges(c, ranges, N, RW), -EINVAL, "nothing of memory: EINVAL");
	is(dma_unmap_ranges(c, ranges, N), -EINVAL, "to be unmapped as well");
	with_gaps(ranges, mem, N);
	ranges[N - 1].iova = 0x8000000;
	is(dma_map_ranges(c, ranges + N - 1, 1, RW), -EINVAL, "the doorbell's window: EINVAL");
	with_gaps(ranges, mem, N);
	ranges[N - 1].iova = -page;
	ranges[N - 1].size = 2 * page;
	is(dma_map_ranges(c, ranges, N, RW), -EOVERFLOW, "a range that wraps: EOVERFLOW");
	is(dma_unmap_ranges(c, ranges, N), -EOVERFLOW, "to be unmapped as well");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
	munmap(hole, page);
}

static void out_of_order(struct dev *d)
{
	const int c = d->container;
	struct usage before = usage(c);
	uint8_t *mem = mem_new(N * page);
	struct evfio_iommu_range ranges[N], first;

	with_gaps(ranges, mem, N);
	first = ranges[0];
	ranges[0] = ranges[1];
	ranges[1] = first;
	is(dma_map_ranges(c, ranges, N, RW), -EINVAL, "a range before the one before it: EINVAL");
	is(dma_unmap_ranges(c, ranges, N), -EINVAL, "to be unmapped as well");
	ranges[0] = first;
	is(dma_map_ranges(c, ranges, N, RW), -EINVAL, "a range twice: EINVAL");
	is(dma_unmap_ranges(c, ranges, N), -EINVAL, "to be unmapped as well");
	with_gaps(ranges, mem, N);
	ranges[0].size = 3 * page;
	is(dma_map_ranges(c, ranges, N, RW), -EINVAL, "two that overlap: EINVAL");
	is(dma_unmap_ranges(c, ranges, N), -EINVAL, "to be unmapped as well");
	ranges[0].size = -page;
	is(dma_unmap_ranges(c, ranges, N), -EINVAL, "one that is nearly all there is: EINVAL");
	with_gaps(ranges, mem, N);
	ranges[0].size = 2 * page;
	is(dma_map_ranges(c, ranges, 2, RW), 0, "two side by side are in order");
	is(dma_unmap_ranges(c, ranges, 2), 3 * page, "unmap");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
}

static void bad_arguments(struct dev *d)
{
	const uint32_t max = EVFIO_IOMMU_RANGES_MAX;
	const size_t size = ARGSZ(max + 1);
	struct evfio_iommu_ranges *arg = calloc(1, size);
	uint8_t *mem = mem_new((max + 1) * page);
	struct usage before = usage(d->container);
	const struct {
		const char *what;
		uint32_t argsz, nr, flags, pad;
	} bad[] = {
		{ "argsz 0", 0, 1, RW, 0 },
		{ "argsz without the ranges", ARGSZ(0), 1, RW, 0 },
		{ "argsz a byte too small", ARGSZ(N) - 1, N, RW, 0 },
		{ "no range", ARGSZ(N), 0, RW, 0 },
		{ "too many", ARGSZ(max + 1), max + 1, RW, 0 },
		{ "more than there can be", ~0u, ~0u, RW, 0 },
		{ "a flag that is not known", ARGSZ(N), N, RW | 4, 0 },
		{ "pad", ARGSZ(N), N, RW, 1 },
	};

	with_gaps(arg->ranges, mem, max + 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		arg->argsz = bad[i].argsz;
		arg->nr = bad[i].nr;
		arg->flags = bad[i].flags;
		arg->pad = bad[i].pad;
		is(xioctl(d->container, EVFIO_IOMMU_MAP, arg), -EINVAL, "map, %s: EINVAL",
		   bad[i].what);
		arg->flags &= ~RW;
		is(xioctl(d->container, EVFIO_IOMMU_UNMAP, arg), -EINVAL, "unmap, %s: EINVAL",
		   bad[i].what);
	}
	*arg = (struct evfio_iommu_ranges){ .argsz = ARGSZ(N), .nr = N };
	is(xioctl(d->container, EVFIO_IOMMU_MAP, arg), -EINVAL, "map, no flags: EINVAL");
	arg->flags = RO;
	is(xioctl(d->container, EVFIO_IOMMU_UNMAP, arg), -EINVAL, "unmap, flags: EINVAL");
	is(xioctl(d->container, EVFIO_IOMMU_MAP, NULL), -EFAULT, "no argument: EFAULT");
	ok(usage_same(before, usage(d->container)), "nothing is left");

	is(dma_map_ranges(d->container, arg->ranges, max, RW), 0, "as many as there can be");
	is(dma_unmap_ranges(d->container, arg->ranges, max), max * page, "all unmapped");

	free(arg);
	/* The end of the ranges is where nothing is. */
	munmap(mem + page, page);
	arg = (void *)(mem + page - ARGSZ(1));
	*arg = (struct evfio_iommu_ranges){ .argsz = ARGSZ(2), .nr = 2, .flags = RW };
	is(xioctl(d->container, EVFIO_IOMMU_MAP, arg), -EFAULT, "map, ranges that end in nothing: EFAULT");
	arg->flags = 0;
	is(xioctl(d->container, EVFIO_IOMMU_UNMAP, arg), -EFAULT,
	   "unmap, ranges that end in nothing: EFAULT");
	munmap(mem, page);
	munmap(mem + 2 * page, (max - 1) * page);
}

static int over_the_limit(void *arg)
{
	const struct rlimit limit = { N * page, N * page };
	struct evfio_iommu_range ranges[N];
	const struct dev *d = arg;
	uint8_t *mem = mem_new((N + 1) * page);

	setrlimit(RLIMIT_MEMLOCK, &limit);
	with_gaps(ranges, mem, N);
	ranges[N - 1].size = 2 * page;
	if (dma_map_ranges(d->container, ranges, N, RW) != -ENOMEM || locked_kb())
		return 1;
	ranges[N - 1].size = page;
	if (dma_map_ranges(d->container, ranges, N, RW))
		return 2;
	return dma_unmap_ranges(d->container, ranges, N) == (int64_t)(N * page) && !locked_kb() ?
	       0 : 3;
}

/* Registers of a device among memory. */
static void with_peers(struct dev *d)
{
	const int c = d->container;
	uint8_t *mem = mem_new(2 * page);
	struct usage before;
	struct dev of;

	dev_open(&of, EDU1);
	before = usage(c);
	const struct evfio_iommu_range ranges[] = {
		{ HIGH, (uintptr_t)mem, page },
		{ PEER, (uintptr_t)of.regs, of.size },
		{ 2 * PEER, (uintptr_t)mem + page, page },
	}, bad[] = { ranges[0], ranges[1], { 2 * PEER, page, page } };

	is(dma_map_ranges(c, bad, 3, RW), -EFAULT, "memory, registers, no memory: EFAULT");
	ok(usage_same(before, usage(c)), "nothing is left");
	memset(mem, 0, page);
	ok(!edu_load(d, PEER + EDU_REG_ID, 4) && !edu_store(d, HIGH, 4) &&
	   *(uint32_t *)mem != EDU_ID, "the registers are out of reach");
	is(dma_map_ranges(c, ranges, 3, RW), 0, "memory, registers, memory");
	is(locked_kb(), before.locked + (long)(2 * page / 1024), "registers are not accounted");
	ok(!edu_load(d, PEER + EDU_REG_ID, 4) && !edu_store(d, HIGH, 4) &&
	   !edu_store(d, 2 * PEER, 4) && *(uint32_t *)mem == EDU_ID &&
	   *(uint32_t *)(mem + page) == EDU_ID, "the device reads them, and writes memory");
	is(dma_unmap_ranges(c, ranges, 3), of.size + 2 * page, "unmap");
	ok(usage_same(before, usage(c)), "nothing is left");
	dev_close(&of);
	mem_free(mem, 2 * page);
}

/* Version 1 unmaps a mapping by its first address, whatever the range has of it. */
static void version_1(void)
{
	int c = container_open(), group;
	uint8_t *mem = mem_new(4 * page);
	const struct evfio_iommu_range whole = { HIGH, (uintptr_t)mem, 4 * page }, parts[] = {
		{ HIGH, 0, page }, { HIGH + page, 0, page }, { HIGH + 3 * page, 0, page },
	};

	board_take(EDU0);
	group = group_open(EDU0);
	is(group_set(group, c), 0, "v1: SET_CONTAINER");
	is(container_set_iommu(c, VFIO_TYPE1_IOMMU), 0, "v1: SET_IOMMU type1");
	is(dma_map_ranges(c, &whole, 1, RW), 0, "v1: map");
	is(dma_unmap_ranges(c, parts + 1, 2), 0, "v1: what is not the first page: 0 bytes");
	is(dma_unmap_ranges(c, parts, 3), 4 * page, "v1: the first page and others: all of it");
	close(group);
	close(c);
	mem_free(mem, 4 * page);
}

struct caller {
	pthread_t thread;
	int container;
	struct evfio_iommu_range ranges[N];
	unsigned int nr;
	int rounds, mapped, existed, wrong;
	int ret;			/* of the last time it mapped */
	volatile bool done;
};

static void *calls(void *arg)
{
	struct caller *me = arg;

	for (int i = 0; i < me->rounds; i++) {
		int ret = dma_map_ranges(me->container, me->ranges, me->nr, RW);

		me->ret = ret;
		me->mapped += !ret;
		me->existed += ret == -EEXIST;
		/* Who has mapped all of them finds all of them. */
		if (!ret)
			me->wrong += dma_unmap_ranges(me->container, me->ranges, me->nr) !=
				     (int64_t)(me->nr * page);
		else
			me->wrong += ret != -EEXIST;
	}
	me->done = true;
	return NULL;
}

/* All at the same ranges, which they begin with in a different place: nobody waits for ever. */
static void crossing(struct dev *d)
{
	enum { THREADS = 4, ROUNDS = 100 };
	struct usage before = usage(d->container);
	struct caller caller[THREADS];
	uint8_t *mem = mem_new(N * page);
	int wrong = 0, tries = 0;

	for (int i = 0; i < THREADS; i++) {
		caller[i] = (struct caller){
			.container = d->container, .nr = N / 2, .rounds = ROUNDS,
		};
		with_gaps(caller[i].ranges, mem, N);
		memmove(caller[i].ranges, caller[i].ranges + 8 * i,
			N / 2 * sizeof(caller[i].ranges[0]));
		pthread_create(&caller[i].thread, NULL, calls, &caller[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(caller[i].thread, NULL);
		wrong += caller[i].wrong;
		tries += caller[i].mapped + caller[i].existed;
	}
	is(wrong, 0, "threads whose ranges cross: no map or unmap goes wrong");
	is(tries, THREADS * ROUNDS, "each maps, or finds EEXIST");
	ok(usage_same(before, usage(d->container)), "nothing is left");
	mem_free(mem, N * page);
}

/* Memory that somebody has yet to bring is waited for; who does not need the ranges goes on. */
static void late_memory(struct dev *d)
{
	const int c = d->container;
	struct usage before = usage(c);
	uint8_t *mem = mem_new(N * page);
	uint8_t *late = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	struct caller caller = { .container = c, .nr = N, .rounds = 1 };
	struct pollfd fault = { .events = POLLIN, .fd = fault_fd(late, page) };
	struct uffdio_copy bring = {
		.dst = (uintptr_t)late, .src = (uintptr_t)mem, .len = page,
	};

	if (fault.fd < 0) {
		tap_skip("no userfaultfd: %s", strerror(-fault.fd));
		return;
	}
	with_gaps(caller.ranges, mem, N);
	caller.ranges[N / 2].vaddr = (uintptr_t)late;
	pthread_create(&caller.thread, NULL, calls, &caller);
	while (!caller.done && poll(&fault, 1, 10) != 1)
		;
	if (caller.done) {
		/* As the kernel's own VFIO; Linux 6.1 does not wait while it pins for long. */
		is(caller.ret, -EFAULT, "a page of many that is not there: EFAULT");
	} else {
		is(dma_map(c, mem, PEER, page, RW), 0,
		   "while a page of many is waited for, another range can be mapped");
		is(dma_unmap(c, PEER, page), page, "and unmapped");
		is(dma_avail(c), before.avail - N, "all of the call's ranges are taken");
		is(ioctl(fault.fd, UFFDIO_COPY, &bring), 0, "the page comes");
	}
	pthread_join(caller.thread, NULL);
	ok(caller.mapped == !caller.ret, "then all is mapped");
	close(fault.fd);
	munmap(late, page);
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
}

int main(int argc, char **argv)
{
	struct evfio_iommu_range range = { .iova = IOVA };
	struct dev d;
	int c;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	range.size = page;
	c = container_open();
	is(check_extension(c, EVFIO_EXT_IOMMU_RANGES), !tap_kernel, "VFIO_CHECK_EXTENSION");
	is(dma_unmap_ranges(c, &range, 1), -EINVAL, "a container without an IOMMU: EINVAL");
	close(c);
	dev_open(&d, EDU0);
	is(check_extension(d.container, EVFIO_EXT_IOMMU_RANGES), !tap_kernel,
	   "VFIO_CHECK_EXTENSION with an IOMMU");
	if (tap_kernel) {
		is(dma_map_ranges(d.container, &range, 1, RW), -ENOTTY, "EVFIO_IOMMU_MAP: ENOTTY");
		is(dma_unmap_ranges(d.container, &range, 1), -ENOTTY, "EVFIO_IOMMU_UNMAP: ENOTTY");
		dev_close(&d);
		return tap_done();
	}
	all_at_once(&d);
	unmap_what_there_is(&d);
	none_at_all(&d);
	out_of_order(&d);
	bad_arguments(&d);
	is(in_child_unprivileged(over_the_limit, &d), 0, "RLIMIT_MEMLOCK counts them together");
	with_peers(&d);
	crossing(&d);
	late_memory(&d);
	dev_close(&d);
	version_1();
	return tap_done();
}
