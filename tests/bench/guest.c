// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest - what VFIO's operations cost, on the modules that are loaded
 *
 *	guest platform DEVICE [DEVICE WITH A RESET LINE]
 *	guest pci DEVICE
 *	guest floor			(floor.c) what mapping costs at least
 *	guest scale DEVICE		two threads against one, and a million mappings
 *	guest profile WHAT DEVICE	(profile.py has a list) does nothing else, for ever
 *
 * The device is an edu. Meant for QEMU's -icount shift=0, where the counter that the clocks are
 * made of counts instructions: a nanosecond is one. Prints "title<TAB>unit<TAB>value" a row, one
 * operation a row, and comments that begin with "#". With WALL in the environment time is time:
 * "instructions" are nanoseconds then, and waiting is kept short.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"
#include "libboard.h"
#include "libtap.h"

#define PAGE		4096ull
#define MANY		60000		/* mappings; the kernel allows 65,535 */
#define EDGE		1000		/* of these are averaged, at either end */
#define WINDOW		(1ull << 32)	/* IOVA: clear of where SMMUs put the MSI doorbell */
#define SMALL		(256ull << 20)
#define FILLER		(128ull << 20)
#define HUGE		(1ull << 30)
#define PAIRS		5		/* of runs, where time is measured */

#define VFIO_OFFSET(index)	((off_t)(index) << 40)
#define PCI_COMMAND		0x04
#define PCI_COMMAND_MASTER	0x6	/* ... and memory space */

static bool pci;
static const char *bus;

static void must(long long ret, const char *what)
{
	if (ret < 0)
		tap_bail("%s: %s", what, strerror((int)-ret));
}

/* ---- time ---- */

/* Not before all that came before, nor after what comes later. */
static uint64_t counter(void)
{
	uint64_t now;

	asm volatile("isb; mrs %0, cntvct_el0; isb" : "=r" (now) :: "memory");
	return now;
}

static double per_tick;		/* instructions */

static void calibrate(void)
{
	uint64_t hz;

	asm volatile("mrs %0, cntfrq_el0" : "=r" (hz));
	per_tick = 1e9 / (double)hz;
}

/*
 * Let the kernel do what it still has to do: an idle processor costs nothing here. What it puts
 * off while we measure, for threads of its own, counts as long as they come to it.
 */
static void settle(unsigned int seconds)
{
	sleep(getenv("WALL") ? 1 : seconds);
}

static void row(const char *title, const char *unit, double value)
{
	printf("%s\t%s\t%.1f\n", title, unit, value);
	fflush(stdout);
}

static double since(uint64_t start)
{
	return (double)(counter() - start) * per_tick;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* For what takes so long that something else comes between now and then. Sorts @values. */
static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* ---- the device, on either bus ---- */

static const char *sysfs(const char *name, const char *file)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/%s", bus, name, file);
	return path;
}

static void take(const char *name)
{
	char probe[64];

	snprintf(probe, sizeof(probe), "/sys/bus/%s/drivers_probe", bus);
	must(file_write(sysfs(name, "driver_override"), pci ? "vfio-pci" : "vfio-platform"), name);
	must(file_write(probe, name), name);
}

static int open_group(const char *name)
{
	char link[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlink(sysfs(name, "iommu_group"), link, sizeof(link) - 1);

	must(sys(len), "iommu_group");
	link[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* All that stands between nothing and registers, and nothing more than that. */
static void open_all(struct dev *d, const char *name, int group)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 0 };
	uint16_t command = PCI_COMMAND_MASTER;

	d->name = name;
	d->group = group;
	d->container = container_open();
	must(d->container, "container");
	must(group_set(d->group, d->container), "SET_CONTAINER");
	must(container_set_iommu(d->container, VFIO_TYPE1v2_IOMMU), "SET_IOMMU");
	d->fd = device_fd(d->group, name);
	must(d->fd, "GET_DEVICE_FD");
	must(xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info), "GET_REGION_INFO");
	d->size = info.size;
	d->regs = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
		       (off_t)info.offset);
	if (d->regs == MAP_FAILED)
		tap_bail("mmap: %m");
	/* A PCI device may not do DMA until its driver says so. */
	if (pci && pwrite(d->fd, &command, sizeof(command),
			  VFIO_OFFSET(VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND) !=
		   sizeof(command))
		tap_bail("config space: %m");
}

/* ---- memory ---- */

/* How a range's pages lie in memory: one after the other, or no two neighbours together. */
enum order { ORDERED, SCATTERED };

static uint64_t reversed(uint64_t value, unsigned int bits)
{
	uint64_t result = 0;

	while (bits--) {
		result = result << 1 | (value & 1);
		value >>= 1;
	}
	return result;
}

/* Memory of pages of one size, there and distinct; a scattered one is a power of two pages. */
static void *memory(size_t size, int flags, enum order order)
{
	const unsigned int bits = (unsigned int)__builtin_ctzll(size / PAGE);
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags |
			 (order == ORDERED ? MAP_POPULATE : 0), -1, 0);

	if (mem == MAP_FAILED)
		tap_bail("%zu bytes of memory: %m", size);
	/* The kernel has pages in order; so ask for them in another one. */
	if (order == SCATTERED)
		for (uint64_t i = 0; i < size / PAGE; i++)
			mem[reversed(i, bits) * PAGE] = 1;
	return mem;
}

/* The physically contiguous runs of some memory: what it costs depends on them. */
static void note_runs(const char *what, const void *mem, size_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry, pfn, next = 0;
	unsigned long runs = 0;

	for (uint64_t i = 0; i < size / PAGE; i++) {
		if (pread(fd, &entry, sizeof(entry),
			  (off_t)(((uintptr_t)mem / PAGE + i) * sizeof(entry))) != sizeof(entry))
			tap_bail("pagemap: %m");
		pfn = entry & ((1ull << 55) - 1);
		if (pfn != next)
			runs++;
		next = pfn + 1;
	}
	close(fd);
	printf("# %s: %lu run%s of pages\n", what, runs, runs == 1 ? "" : "s");
}

/* Bytes of kernel objects in use, over the whole system. */
static double slab(void)
{
	DIR *caches = opendir("/sys/kernel/slab");
	struct dirent *entry;
	char path[PATH_MAX];

	/* Free room in the caches does not count. */
	if (!caches)
		tap_bail("/sys/kernel/slab: %m");
	while ((entry = readdir(caches))) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", entry->d_name);
		file_write(path, "1");
	}
	closedir(caches);
	/* The counters are kept per CPU and folded at times; reading this folds them at once. */
	file_read("/proc/sys/vm/stat_refresh");
	return (double)file_long("/proc/meminfo", "Slab") * 1024;
}

/* ---- mapping ---- */

static int floor_fd = -1;

static void map(const struct dev *d, const void *mem, uint64_t iova, uint64_t size)
{
	const struct floor_area area = { iova, (uintptr_t)mem, size };

	if (floor_fd >= 0)
		must(xioctl(floor_fd, FLOOR_MAP, &area), "FLOOR_MAP");
	else
		must(dma_map(d->container, mem, iova, size, RW), "MAP_DMA");
}

static void unmap(const struct dev *d, uint64_t iova, uint64_t size)
{
	if (floor_fd >= 0)
		must(xioctl(floor_fd, FLOOR_UNMAP, NULL), "FLOOR_UNMAP");
	else
		must(dma_unmap(d->container, iova, size), "UNMAP_DMA");
}

static void bench_page(const struct dev *d)
{
	const int times = 2000;
	void *mem = memory(PAGE, 0, ORDERED);
	double maps = 0, unmaps = 0;
	uint64_t start;

	settle(5);
	for (int i = -100; i < times; i++) {
		if (!i)
			maps = 0, unmaps = 0;
		start = counter();
		map(d, mem, WINDOW, PAGE);
		maps += since(start);
		start = counter();
		unmap(d, WINDOW, PAGE);
		unmaps += since(start);
	}
	munmap(mem, PAGE);
	row("map + unmap one 4 KiB page", "instructions", (maps + unmaps) / times);
	/* Work that is done in batches falls on the one or the other by chance: no rows. */
	printf("# one 4 KiB page: map %.0f, unmap %.0f instructions\n", maps / times,
	       unmaps / times);
}

#define RANGES	64
#define RUN	256

/* A page each, with gaps between them. */
static void ranges_fill(struct evfio_iommu_range *ranges, void *mem)
{
	for (uint64_t i = 0; i < RANGES; i++)
		ranges[i] = (struct evfio_iommu_range){
			.iova = WINDOW + 2 * i * PAGE,
			.vaddr = (uintptr_t)mem + i * PAGE,
			.size = PAGE,
		};
}

/* What evfio offers instead of as many calls; the kernel's own has none, and so no row. */
static void bench_ranges(const struct dev *d)
{
	const int times = 500;
	struct evfio_iommu_range ranges[RANGES];
	uint64_t start = 0;
	void *mem;

	if (floor_fd >= 0 || !check_extension(d->container, EVFIO_EXT_IOMMU_RANGES))
		return;
	mem = memory(RANGES * PAGE, 0, ORDERED);
	ranges_fill(ranges, mem);
	settle(5);
	for (int i = -10; i < times; i++) {
		if (!i)
			start = counter();
		must(dma_map_ranges(d->container, ranges, RANGES, RW), "EVFIO_IOMMU_MAP");
		must(dma_unmap_ranges(d->container, ranges, RANGES), "EVFIO_IOMMU_UNMAP");
	}
	munmap(mem, RANGES * PAGE);
	row("map + unmap 64 pages by two calls, each", "instructions",
	    since(start) / times / RANGES);
}

/* Windows of a registered buffer go round through so many places. */
#define PLACES	256

/* Where the @nr windows of the @round-th call are. */
static void windows_fill(struct evfio_iommu_range *windows, unsigned int nr, unsigned int round)
{
	for (unsigned int i = 0; i < nr; i++)
		windows[i] = (struct evfio_iommu_range){
			WINDOW + (round * nr % PLACES + i) * 2 * PAGE, i * PAGE, PAGE
		};
}

static void window_moves(const struct dev *d, int id, unsigned int nr, uint32_t flags,
			 const char *title)
{
	const unsigned int warm = PLACES / nr, times = 2000 / nr;
	struct evfio_iommu_range from[RANGES], to[RANGES];
	uint64_t start = 0;

	settle(5);
	windows_fill(from, nr, 0);
	must(dma_move(d->container, id, 0, NULL, 0, from, nr), "EVFIO_IOMMU_MOVE");
	for (unsigned int i = 0; i < warm + times; i++) {
		windows_fill(from, nr, i);
		windows_fill(to, nr, i + 1);
		if (i == warm)
			start = counter();
		must(dma_move(d->container, id, flags, from, nr, to, nr), "EVFIO_IOMMU_MOVE");
	}
	row(title, "instructions", since(start) / (times * nr));
	must(dma_unmap(d->container, WINDOW, 2 * PLACES * PAGE), "UNMAP_DMA");
}

static void bench_windows(const struct dev *d)
{
	void *mem;
	int id;

	if (floor_fd >= 0 || !check_extension(d->container, EVFIO_EXT_IOMMU_BUFFER))
		return;
	mem = memory(RANGES * PAGE, 0, ORDERED);
	id = dma_register(d->container, mem, RANGES * PAGE, RW);
	must(id, "EVFIO_IOMMU_REGISTER");
	window_moves(d, id, 1, 0, "move a window of one page");
	window_moves(d, id, 1, EVFIO_IOMMU_MOVE_LAZY, "move a window of one page lazily");
	window_moves(d, id, RANGES, 0, "move 64 windows of one page, each");
	window_moves(d, id, RANGES, EVFIO_IOMMU_MOVE_LAZY, "move 64 windows of one page lazily, each");
	must(dma_unregister(d->container, id), "EVFIO_IOMMU_UNREGISTER");
	munmap(mem, RANGES * PAGE);
}

static void bench_many(const struct dev *d)
{
	char *mem = memory(MANY * PAGE, 0, ORDERED);
	double first = 0, last = 0, slab_before;
	uint64_t start;

	note_runs("60,000 pages", mem, MANY * PAGE);
	settle(5);
	slab_before = slab();
	start = counter();
	for (uint64_t i = 0; i < MANY; i++) {
		if (i == MANY - EDGE)
			start = counter();
		map(d, mem + i * PAGE, WINDOW + i * 2 * PAGE, PAGE);
		if (i == EDGE - 1)
			first = since(start);
	}
	last = since(start);
	row("one of 60,000 maps, first 1,000", "instructions", first / EDGE);
	row("one of 60,000 maps, last 1,000", "instructions", last / EDGE);
	if (floor_fd < 0)
		row("memory of one of 60,000 mappings", "bytes", (slab() - slab_before) / MANY);
	settle(5);
	start = counter();
	unmap(d, WINDOW, MANY * 2 * PAGE);
	row("unmap 60,000 by one call, each", "instructions", since(start) / MANY);
	munmap(mem, MANY * PAGE);
}

static void range_rows(const char *what, const char *when, double maps, double unmaps)
{
	char title[80];

	snprintf(title, sizeof(title), "map %s%s", what, when);
	row(title, "instructions", maps);
	snprintf(title, sizeof(title), "unmap %s%s", what, when);
	row(title, "instructions", unmaps);
}

/*
 * Later times count, as for a driver that maps the same buffers again and again: the least of them,
 * for a timer may fall into one. The first time, with page tables to be made and pages that were
 * never used, is a row of its own on demand.
 */
static void bench_range(const struct dev *d, const char *what, size_t size, int flags,
			enum order order, bool first)
{
	const int times = flags & MAP_HUGETLB ? 5 : 1;
	void *mem = memory(size, flags, order);
	double maps, unmaps, least_maps = 1e12, least_unmaps = 1e12;
	uint64_t start;

	note_runs(what, mem, size);
	settle(5);
	for (int round = 0; round <= times; round++) {
		start = counter();
		map(d, mem, WINDOW, size);
		maps = since(start);
		start = counter();
		unmap(d, WINDOW, size);
		unmaps = since(start);
		if (round && maps < least_maps)
			least_maps = maps;
		if (round && unmaps < least_unmaps)
			least_unmaps = unmaps;
		if (!round && first)
			range_rows(what, ", first time", maps, unmaps);
	}
	range_rows(what, "", least_maps, least_unmaps);
	munmap(mem, size);
}

/* ---- the device ---- */

static void bench_pread(const struct dev *d)
{
	const int times = 10000;
	uint64_t start = 0;
	uint32_t value;

	settle(5);
	for (int i = -100; i < times; i++) {
		if (!i)
			start = counter();
		if (pread(d->fd, &value, sizeof(value), VFIO_OFFSET(0) + EDU_REG_ID) !=
		    sizeof(value) || value != EDU_ID)
			tap_bail("pread: %m");
	}
	row("pread a 4-byte register", "instructions", since(start) / times);
}

static void interrupt(const struct dev *d, int efd)
{
	uint64_t count;

	dev_write(d, EDU_REG_RAISE, 1);
	if (read(efd, &count, sizeof(count)) != sizeof(count) || count != 1)
		tap_bail("eventfd: %llu", (unsigned long long)count);
	dev_write(d, EDU_REG_ACK, 1);
	must(irq_unmask(d->fd, 0), "UNMASK");
}

static void bench_interrupt(const struct dev *d)
{
	const int times = 10000;
	int efd = eventfd(0, EFD_CLOEXEC);
	uint64_t start = 0;

	must(irq_trigger(d->fd, 0, efd), "SET_IRQS");
	settle(5);
	for (int i = -100; i < times; i++) {
		if (!i)
			start = counter();
		interrupt(d, efd);
	}
	row("interrupt: raise, read eventfd, ack, unmask", "instructions", since(start) / times);
	must(irq_trigger(d->fd, 0, -1), "SET_IRQS");
	close(efd);
}

/* @reset: also what a reset costs in between. */
static void bench_device_fd(const struct dev *d, const char *what, bool reset)
{
	enum { TIMES = 3000 };
	static double resets[TIMES];
	uint64_t start;
	double total = 0;
	int fd;

	settle(5);
	/* A first round to grow what grows once. */
	for (int i = -10; i < TIMES; i++) {
		if (!i)
			total = 0;
		start = counter();
		fd = device_fd(d->group, d->name);
		total += since(start);
		must(fd, "GET_DEVICE_FD");
		if (reset) {
			start = counter();
			must(xioctl(fd, VFIO_DEVICE_RESET, NULL), "RESET");
			resets[i < 0 ? 0 : i] = since(start);
		}
		start = counter();
		close(fd);
		total += since(start);
	}
	row(what, "instructions", total / TIMES);
	if (reset)
		row("reset, by a reset line", "instructions", median(resets, TIMES));
}

/* From no fd at all to a transfer under way. What undoes it is not counted. */
static void bench_first_dma(const char *name)
{
	const int times = 300;
	void *mem = memory(PAGE, 0, ORDERED);
	double total = 0;
	uint64_t start;
	struct dev d;

	settle(5);
	for (int i = -5; i < times; i++) {
		if (!i)
			total = 0;
		start = counter();
		open_all(&d, name, open_group(name));
		map(&d, mem, WINDOW, PAGE);
		edu_dma_start(&d, WINDOW, 64, 0);
		total += since(start);
		edu_quiet(&d);
		dev_close(&d);
	}
	munmap(mem, PAGE);
	row("open to first DMA", "instructions", total / times);
}

/* What is where in the kernel; then one operation again and again. */
static void profile(const char *what, const char *name)
{
	char *many = memory(SMALL, 0, ORDERED);
	struct evfio_iommu_range ranges[RANGES], from, to;
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[512], type;
	int id, efd = eventfd(0, EFD_CLOEXEC);
	struct dev d;

	take(name);
	open_all(&d, name, open_group(name));
	while (symbols && fgets(line, sizeof(line), symbols))
		if (sscanf(line, "%*x %c", &type) == 1 && strchr("tTwW", type))
			fputs(line, stdout);
	ranges_fill(ranges, memory(RANGES * PAGE, 0, ORDERED));
	id = dma_register(d.container, (void *)(uintptr_t)ranges[0].vaddr, RANGES * PAGE, RW);
	must(irq_trigger(d.fd, 0, efd), "SET_IRQS");
	settle(5);
	puts("again and again");
	for (unsigned int i = 0;; i++) {
		windows_fill(&from, 1, i);
		windows_fill(&to, 1, i + 1);
		if (!strcmp(what, "many")) {
			map(&d, many + SMALL / 2, WINDOW, RUN * PAGE);
			unmap(&d, WINDOW, RUN * PAGE);
		} else if (!strcmp(what, "ranges")) {
			must(dma_map_ranges(d.container, ranges, RANGES, RW), "EVFIO_IOMMU_MAP");
			must(dma_unmap_ranges(d.container, ranges, RANGES), "EVFIO_IOMMU_UNMAP");
		} else if (!strcmp(what, "move")) {
			must(dma_move(d.container, id, EVFIO_IOMMU_MOVE_LAZY, &from, 1, &to, 1),
			     "EVFIO_IOMMU_MOVE");
		} else if (!strcmp(what, "irq")) {
			interrupt(&d, efd);
		} else if (!strcmp(what, "open")) {
			close(device_fd(d.group, name));
		} else if (!strcmp(what, "pread")) {
			must(sys(pread(d.fd, line, 4, VFIO_OFFSET(0) + EDU_REG_ID)), "pread");
		} else {
			map(&d, (void *)(uintptr_t)ranges[0].vaddr, WINDOW, PAGE);
			unmap(&d, WINDOW, PAGE);
		}
	}
}

/* ---- time: threads, and a million mappings ---- */

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct mapper {
	const struct dev *d;
	pthread_barrier_t *start;
	void *mem;
	size_t size;
	unsigned int cpu;
	int times;
};

static void *mapper_run(void *arg)
{
	const struct mapper *m = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(m->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	pthread_barrier_wait(m->start);
	for (int i = 0; i < m->times; i++) {
		map(m->d, m->mem, WINDOW << m->cpu, m->size);
		unmap(m->d, WINDOW << m->cpu, m->size);
	}
	return NULL;
}

/* How long so many threads take, each on a processor, and each with a range of its own. */
static double threads_take(const struct dev *d, unsigned int threads, size_t size, int times)
{
	struct mapper mappers[2];
	pthread_barrier_t start;
	pthread_t ids[2];
	double began;

	pthread_barrier_init(&start, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++) {
		mappers[i] = (struct mapper){ d, &start, memory(size, 0, ORDERED), size, i, times };
		pthread_create(&ids[i], NULL, mapper_run, &mappers[i]);
	}
	pthread_barrier_wait(&start);
	began = seconds();
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		munmap(mappers[i].mem, size);
	}
	return seconds() - began;
}

/* Pairs, of which the median counts, as the machine may do other things as well. */
static void bench_threads(const struct dev *d, size_t size, int times)
{
	double ratio[PAIRS], middle;

	for (int i = 0; i < PAIRS; i++) {
		ratio[i] = 2 * threads_take(d, 1, size, times);
		ratio[i] /= threads_take(d, 2, size, times);
	}
	middle = median(ratio, PAIRS);
	printf("map + unmap %zu KiB: two threads do %.2f (%.2f to %.2f) times what one does\n",
	       size / 1024, middle, ratio[0], ratio[PAIRS - 1]);
}

/* Of memory that repeats, since there is not as much. */
static void bench_million(const struct dev *d)
{
	enum { MILLION = 1000000, REPEATS = 4096 };
	uint8_t *mem = memory(REPEATS * PAGE, 0, ORDERED);
	double began = seconds(), first = 0;

	for (uint64_t i = 0; i < MILLION; i++) {
		if (i == 10 * EDGE)
			first = seconds() - began;
		if (i == MILLION - 10 * EDGE)
			began = seconds();
		map(d, mem + i % REPEATS * PAGE, WINDOW + i * 2 * PAGE, PAGE);
	}
	printf("1,000,000 maps: the last 10,000 take %.2f times what the first 10,000 do\n",
	       (seconds() - began) / first);
	unmap(d, WINDOW, MILLION * 2 * PAGE);
	munmap(mem, REPEATS * PAGE);
}

/* In a machine with two processors, where time is time. */
static void scale(const char *name)
{
	struct dev d = { 0 };

	take(name);
	must(file_write("/sys/module/vfio_iommu_type1/parameters/dma_entry_limit", "2000000"),
	     "dma_entry_limit");
	open_all(&d, name, open_group(name));
	bench_threads(&d, PAGE, 20000);
	bench_threads(&d, 256 * PAGE, 1000);
	bench_million(&d);
}

static void bench_mapping(const struct dev *d)
{
	bench_range(d, "256 MiB of 4 KiB pages", SMALL, 0, ORDERED, true);
	bench_range(d, "256 MiB of scattered 4 KiB pages", SMALL, 0, SCATTERED, false);
	bench_range(d, "1 GiB of 2 MiB pages", HUGE, MAP_HUGETLB, ORDERED, false);
	bench_page(d);
	bench_ranges(d);
	bench_windows(d);
	bench_many(d);
}

int main(int argc, char **argv)
{
	struct dev d = { 0 };

	if (argc < 2 || (argc < 3 && strcmp(argv[1], "floor"))) {
		fprintf(stderr, "usage: guest platform|pci|scale DEVICE [DEVICE WITH A RESET LINE] | guest floor\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	pci = strchr(argv[argc - 1], ':');
	bus = pci ? "pci" : "platform";
	if (!strcmp(argv[1], "scale")) {
		scale(argv[2]);
		return 0;
	}
	if (argc > 3 && !strcmp(argv[1], "profile"))
		profile(argv[2], argv[3]);
	calibrate();
	settle(30);	/* after boot that is more than otherwise */
	/* The odd pages that booting left go to this, so that what comes next is in order. */
	memory(FILLER, 0, ORDERED);

	if (argc < 3) {
		floor_fd = open("/dev/floor", O_RDWR | O_CLOEXEC);
		must(sys(floor_fd), "/dev/floor");
		bench_mapping(&d);
		return 0;
	}
	take(argv[2]);
	open_all(&d, argv[2], open_group(argv[2]));
	bench_mapping(&d);
	bench_pread(&d);
	bench_interrupt(&d);
	bench_device_fd(&d, "GET_DEVICE_FD + close, a second", false);
	munmap((void *)d.regs, d.size);
	close(d.fd);
	bench_device_fd(&d, "GET_DEVICE_FD + close, the only one", false);
	close(d.group);
	close(d.container);
	bench_first_dma(argv[2]);

	if (argc > 3) {
		take(argv[3]);
		open_all(&d, argv[3], open_group(argv[3]));
		munmap((void *)d.regs, d.size);
		close(d.fd);
		bench_device_fd(&d, "the only one, with a clock and a reset line", true);
	}
	return 0;
}
