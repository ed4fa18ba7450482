// SPDX-License-Identifier: GPL-2.0-only
/*
 * noiommu_dma - EVFIO_DEVICE_PIN: memory for devices without an IOMMU; EVFIO_DEVICE_SYNC: caches
 *
 * On the boards without an SMMU, once with much CMA; on one whose buses are odd; and where the
 * kernel bounces all DMA.
 */
/* vm: iommu=no timeout=120 */
/* vm: iommu=no board=pci bind=no timeout=120 */
/* vm: iommu=no board=pci bind=no cmdline="cma=256M" */
/* vm: iommu=no cmdline="swiotlb=force" kernels="6.1 6.12 7.2 7.2-16k 6.12-sanitize" */
/* vm: overlay="odd" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/evfio.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define PARAMETER	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define RANGED		"10410000.ranged"	/* tests/vm/odd.dtso */
#define RANGED_BUS	0x10000000ull
#define RANGED_MEMORY	0x50000000ull
#define RANGED_SIZE	0x28000000ull

#define PAGES	16
#define HUGE	(2u << 20)
#define ROOM	512
#define NO_ID	0x5a5a5a5au

static size_t page;
static long pinned;	/* pages, before anything */

static union {
	struct evfio_device_pin arg;
	uint8_t bytes[sizeof(struct evfio_device_pin) + ROOM * sizeof(struct evfio_device_extent)];
} told;

static int pin(int fd, const void *mem, uint64_t size, uint32_t flags, uint64_t mask)
{
	told.arg = (struct evfio_device_pin){
		.argsz = sizeof(told),
		.flags = flags,
		.vaddr = (uintptr_t)mem,
		.size = size,
		.mask = mask,
		.id = NO_ID,
	};
	return xioctl(fd, EVFIO_DEVICE_PIN, &told);
}

static int unpin(int fd, uint32_t id)
{
	struct evfio_device_unpin arg = { .argsz = sizeof(arg), .id = id };

	return xioctl(fd, EVFIO_DEVICE_UNPIN, &arg);
}

static int sync_caches(int fd, uint32_t id, uint32_t flags, uint64_t offset, uint64_t size)
{
	struct evfio_device_sync arg = {
		.argsz = sizeof(arg), .flags = flags, .id = id, .offset = offset, .size = size,
	};

	return xioctl(fd, EVFIO_DEVICE_SYNC, &arg);
}

/* Where a page is, says the kernel. */
static uint64_t physical(const void *mem)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, 8, (off_t)((uintptr_t)mem / page * 8)) != 8 || !(entry >> 63))
		tap_bail("/proc/self/pagemap: %m");
	close(fd);
	return (entry & ((1ull << 55) - 1)) * page;
}

/* Whether what was told is where the memory is. */
static bool told_right(const uint8_t *mem, size_t size)
{
	size_t at = 0, in;
	uint32_t i;

	for (i = 0; i < told.arg.nr_extents; i++)
		for (in = 0; in < told.arg.extents[i].size; in += page, at += page)
			if (at >= size || told.arg.extents[i].address + in != physical(mem + at))
				return false;
	return at == size;
}

static bool is_pci(const struct dev *d)
{
	return strchr(d->name, ':');
}

static void open_dev(struct dev *d, const char *name)
{
	if (strchr(name, ':'))
		pci_open(d, name);
	else
		dev_open(d, name);
	if (is_pci(d))
		cfg_command(d, MASTER, 0);
}

/* Memory the pages of which are hardly neighbours. */
static uint8_t *scattered(size_t size)
{
	uint8_t *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at;

	madvise(mem, size, MADV_NOHUGEPAGE);
	for (at = 0; at < size; at += 2 * page)
		mem[at] = 1;
	for (at = page; at < size; at += 2 * page)
		mem[at] = 1;
	return mem;
}

static void bad_input(int fd)
{
	struct evfio_device_unpin undo = { .argsz = sizeof(undo) };
	uint8_t *mem = mem_new(2 * page), *answer = mem_new(2 * page);
	struct evfio_device_pin *end;

	is(pin(fd, mem, page, 0, 0), -EINVAL, "no flags: EINVAL");
	is(pin(fd, mem, page, 4 | RW, 0), -EINVAL, "unknown flags: EINVAL");
	is(pin(fd, mem, 0, RW, 0), -EINVAL, "no size: EINVAL");
	is(pin(fd, mem, page / 2, RW, 0), -EINVAL, "half a page: EINVAL");
	is(pin(fd, mem + 8, page, RW, 0), -EINVAL, "in the middle of a page: EINVAL");
	is(pin(fd, (void *)-page, 2 * page, RW, 0), -EINVAL, "beyond the end: EINVAL");
	is(pin(fd, NULL, page, RW, 0), -EFAULT, "no memory there: EFAULT");
	told.arg.argsz = sizeof(told.arg) - 1;
	is(xioctl(fd, EVFIO_DEVICE_PIN, &told), -EINVAL, "argsz too short: EINVAL");
	is(xioctl(fd, EVFIO_DEVICE_PIN, NULL), -EFAULT, "no argument: EFAULT");

	munmap(mem + page, page);
	is(pin(fd, mem, 2 * page, RW, 0), -EFAULT, "half of it not there: EFAULT");
	end = (void *)(mem + page - sizeof(*end));
	*end = (struct evfio_device_pin){ .argsz = sizeof(told), .flags = RW,
					  .vaddr = (uintptr_t)mem, .size = page };
	is(xioctl(fd, EVFIO_DEVICE_PIN, end), -EFAULT, "no memory for the answer: EFAULT");
	end->vaddr = (uintptr_t)scattered(PAGES * page);
	end->size = PAGES * page;
	is(xioctl(fd, EVFIO_DEVICE_PIN, end), -EFAULT, "nor for one of several extents: EFAULT");
	munmap((void *)(uintptr_t)end->vaddr, PAGES * page);
	mprotect(mem, page, PROT_READ);
	is(pin(fd, mem, page, RW, 0), -EFAULT, "memory that cannot be written: EFAULT");
	is(pin(fd, mem, page, RO, 0), 0, "to be read it will do");
	is(unpin(fd, told.arg.id), 0, "and is unpinned");

	end = (void *)(answer + page - sizeof(*end));
	*end = (struct evfio_device_pin){ .argsz = sizeof(told), .flags = RO,
					  .vaddr = (uintptr_t)mem, .size = page };
	mprotect(answer, page, PROT_READ);
	is(xioctl(fd, EVFIO_DEVICE_PIN, end), -EFAULT, "nobody can be told the number: EFAULT");
	is(pages_pinned(), pinned, "and nothing is pinned");
	mem_free(answer, 2 * page);

	undo.argsz--;
	is(xioctl(fd, EVFIO_DEVICE_UNPIN, &undo), -EINVAL, "unpin: argsz too short: EINVAL");
	undo = (struct evfio_device_unpin){ .argsz = sizeof(undo), .flags = 1 };
	is(xioctl(fd, EVFIO_DEVICE_UNPIN, &undo), -EINVAL, "unpin: flags: EINVAL");
	is(unpin(fd, told.arg.id), -ENOENT, "unpin what is not pinned any more: ENOENT");
	is(unpin(fd, NO_ID), -ENOENT, "or never was: ENOENT");
	is(pages_pinned(), pinned, "nothing stays pinned");
	is(locked_kb(), 0, "nor locked");
	mem_free(mem, page);
}

static void addresses(int fd)
{
	uint8_t *mem = scattered(PAGES * page), *huge;
	uint32_t first, nr;

	is(pin(fd, mem, PAGES * page, RW, ~0ull), 0, "%d pages are pinned", PAGES);
	ok(told_right(mem, PAGES * page), "and told right, in %u extents", told.arg.nr_extents);
	is(pages_pinned() - pinned, PAGES, "as many are pinned");
	is(locked_kb(), PAGES * (long)page >> 10, "and locked");
	first = told.arg.id;
	nr = told.arg.nr_extents;
	is(pin(fd, mem, PAGES * page, RW, 0), 0, "a second time");
	ok(told.arg.id != first, "under another number");
	is(unpin(fd, told.arg.id), 0, "unpinned");
	is(pages_pinned() - pinned, PAGES, "they are still pinned once");
	is(unpin(fd, first), 0, "unpinned as well");
	is(pages_pinned(), pinned, "then they are not");
	is(locked_kb(), 0, "nor locked");

	if (nr > 1) {
		pin(fd, mem, PAGES * page, RW, 0);
		unpin(fd, told.arg.id);
		told.arg.argsz = sizeof(told.arg) + (nr - 1) * sizeof(told.arg.extents[0]);
		told.arg.id = NO_ID;
		is(xioctl(fd, EVFIO_DEVICE_PIN, &told), -ENOSPC,
		   "room for all extents but one: ENOSPC");
		is(told.arg.nr_extents, nr, "which tells how many there are");
		is(told.arg.id, NO_ID, "but no number");
		told.arg.argsz += sizeof(told.arg.extents[0]);
		is(xioctl(fd, EVFIO_DEVICE_PIN, &told), 0, "with just enough room it works");
		is(unpin(fd, told.arg.id), 0, "unpinned");
	} else {
		tap_skip("memory that is in one piece");
	}
	is(pin(fd, mem, page, RW, physical(mem) + page - 1), 0, "a mask that just reaches it");
	is(unpin(fd, told.arg.id), 0, "unpinned");
	is(pin(fd, mem, page, RW, physical(mem) + page - 2), -ERANGE, "one less: ERANGE");
	is(pin(fd, mem, page, RW, (1 << 28) - 1), -ERANGE, "28 bits: ERANGE");
	mem_free(mem, PAGES * page);

	file_write("/proc/sys/vm/nr_hugepages", "1");
	huge = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26 /* 2 MiB */, -1, 0);
	if (huge == MAP_FAILED) {
		tap_skip("no huge page of 2 MiB");
	} else {
		*huge = 1;
		is(pin(fd, huge, HUGE, RW, 0), 0, "a huge page");
		is(told.arg.nr_extents, 1, "is one extent");
		ok(told_right(huge, HUGE), "and told right");
		is(unpin(fd, told.arg.id), 0, "unpinned");
		munmap(huge, HUGE);
	}
	is(pages_pinned(), pinned, "nothing stays pinned");
}

/* The device copies each page to another, by addresses that it was told. */
static void real_dma(struct dev *d)
{
	uint8_t *from = scattered(PAGES * page), *to = scattered(PAGES * page);
	uint64_t bus[2][PAGES];
	uint32_t id[2];

	for (int i = 0; i < 2; i++) {
		uint32_t e = 0;
		uint64_t in = 0;

		if (pin(d->fd, i ? to : from, PAGES * page, i ? RW : RO, 0))
			tap_bail("%s: no memory: %m", d->name);
		id[i] = told.arg.id;
		for (int p = 0; p < PAGES; p++) {
			bus[i][p] = told.arg.extents[e].address + in;
			in += page;
			if (in == told.arg.extents[e].size) {
				in = 0;
				e++;
			}
		}
	}
	for (int p = 0; p < PAGES; p++) {
		mem_fill(from + p * page, page, 100 + p);
		edu_load(d, bus[0][p], EDU_BUFFER_MAX);
		edu_store(d, bus[1][p], EDU_BUFFER_MAX);
	}
	for (int p = 0; p < PAGES; p++)
		ok(mem_is(to + p * page, EDU_BUFFER_MAX, 100 + p) &&
		   to[p * page + EDU_BUFFER_MAX] <= 1, "%s copies page %d", d->name, p);
	is(unpin(d->fd, id[0]), 0, "unpinned");
	is(unpin(d->fd, id[1]), 0, "unpinned");
	mem_free(from, PAGES * page);
	mem_free(to, PAGES * page);
}

static int limited(void *arg)
{
	const struct rlimit limit = { 4 * page, 4 * page };
	int fd = *(int *)arg;
	uint8_t *mem = mem_new(8 * page);
	uint32_t id;

	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (pin(fd, mem, 5 * page, RW, 0) != -ENOMEM)
		return 1;
	if (pin(fd, mem, 4 * page, RW, 0))
		return 2;
	id = told.arg.id;
	if (pin(fd, mem + 4 * page, page, RW, 0) != -ENOMEM)
		return 3;
	if (unpin(fd, id))
		return 4;
	return pin(fd, mem, page, RW, 0) ? 5 : 0;
}

/* What is pinned belongs to the device. */
static void accounted(int fd)
{
	int status = in_child_unprivileged(limited, &fd);

	is(status, 0, "a process without privileges, given the device: RLIMIT_MEMLOCK holds");
	is(pages_pinned() - pinned, 1, "what it pinned outlives it");
}

static int pin_and_wait(void *arg)
{
	uint8_t *mem = mem_new(PAGES * page);
	struct dev d;

	open_dev(&d, arg);
	if (pin(d.fd, mem, PAGES * page, RW, 0))
		return 1;
	raise(SIGKILL);
	return 2;
}

/* What is pinned goes with the last descriptor, where the device can be quieted. */
static void closed(const char *name, bool quiet)
{
	struct dev d;
	uint8_t *mem = mem_new(PAGES * page);
	int other;

	open_dev(&d, name);
	other = device_fd(d.group, name);
	is(pin(d.fd, mem, PAGES * page, RW, 0), 0, "%s: pinned", name);
	close(other);
	is(pages_pinned() - pinned, PAGES, "%s: another descriptor is closed: still pinned", name);
	mem_free(mem, PAGES * page);
	is(pages_pinned() - pinned, PAGES, "%s: unmapped by the program: still pinned", name);
	dev_close(&d);
	is(pages_pinned() - pinned, quiet ? 0 : PAGES, "%s: closed: %s", name,
	   quiet ? "unpinned" : "nothing could stop it: still pinned");
	is(in_child(pin_and_wait, (void *)name), -SIGKILL, "%s: a process is killed", name);
	is(pages_pinned() - pinned, quiet ? 0 : 2 * PAGES, "%s: %s", name,
	   quiet ? "unpinned" : "as much again is pinned");
	is(board_unbind(name), 0, "%s: unbound", name);
	is(pages_pinned(), pinned, "%s: nothing is pinned any more", name);
	is(locked_kb(), 0, "nor locked");
}

/* Shared, so that we see what the device does to it when its user is dead. */
static uint8_t *shared;

static int store_and_die(void *arg)
{
	struct dev d;

	open_dev(&d, arg);
	if (pin(d.fd, shared, page, RW, 0))
		return 1;
	/* QEMU's edu takes 100 ms. */
	edu_dma_start(&d, told.arg.extents[0].address, EDU_BUFFER_MAX, EDU_DMA_STORE);
	raise(SIGKILL);
	return 2;
}

static void killed(const char *name)
{
	struct dev d;

	shared = mmap(NULL, page, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	open_dev(&d, name);
	mem_fill(shared, page, 7);
	pin(d.fd, shared, page, RW, 0);
	edu_load(&d, told.arg.extents[0].address, EDU_BUFFER_MAX);
	memset(shared, 0, page);
	is(edu_store(&d, told.arg.extents[0].address, EDU_BUFFER_MAX), 0, "a transfer to memory");
	ok(mem_is(shared, EDU_BUFFER_MAX, 7), "arrives there");
	dev_close(&d);
	memset(shared, 0, page);
	is(in_child(store_and_die, (void *)name), -SIGKILL, "a process dies during another");
	is(pages_pinned(), pinned, "its memory is unpinned at once");
	sleep_ms(500);
	ok(!shared[0] && !memcmp(shared, shared + 1, page - 1), "and nothing comes there any more");
	munmap(shared, page);
}

/* The kernel's own functions, traced: first the device is quiet, then its memory goes. */
static void order(const char *name, const char *quiet)
{
	char events[256];

	snprintf(events, sizeof(events), "p:evfio/quiet %s\np:evfio/unpin %s\n", quiet,
		 "unpin_user_page_range_dirty_lock");
	if (file_write(KPROBES "kprobe_events", events)) {
		tap_skip("a kernel without events of kprobes");
		return;
	}
	file_write(KPROBES "events/evfio/enable", "1");
	is(in_child(pin_and_wait, (void *)name), -SIGKILL, "%s: a process is killed", name);
	file_write(KPROBES "events/evfio/enable", "0");
	ok(traced("quiet: ", false) > 0 && traced("unpin: ", false) > traced("quiet: ", true),
	   "%s: memory is unpinned after %s()", name, quiet);
	trace_clear(KPROBES "trace");
	trace_clear(KPROBES "kprobe_events");
}

/* What is asked for by EVFIO_DEVICE_SYNC, and what is not. */
static void sync_input(int fd)
{
	struct evfio_device_sync arg = { .argsz = sizeof(arg) - 1, .flags = EVFIO_SYNC_FOR_CPU };
	uint8_t *mem = mem_new(2 * page);
	uint32_t id;

	pin(fd, mem, 2 * page, RW, 0);
	id = told.arg.id;
	is(sync_caches(fd, id, EVFIO_SYNC_FOR_DEVICE, 0, 2 * page), 0, "for the device");
	is(sync_caches(fd, id, EVFIO_SYNC_FOR_CPU, 2 * page - 1, 1), 0, "for the CPU, one byte");
	is(sync_caches(fd, id, 0, 0, page), -EINVAL, "sync: no flags: EINVAL");
	is(sync_caches(fd, id, 3, 0, page), -EINVAL, "sync: both: EINVAL");
	is(sync_caches(fd, id, 4, 0, page), -EINVAL, "sync: unknown flags: EINVAL");
	is(sync_caches(fd, id, 1, 0, 0), -EINVAL, "sync: no size: EINVAL");
	is(sync_caches(fd, id, 1, 1, 2 * page), -EINVAL, "sync: beyond the end: EINVAL");
	is(sync_caches(fd, id, 1, 2 * page, 1), -EINVAL, "sync: behind the end: EINVAL");
	is(sync_caches(fd, id, 1, ~0ull, 1), -EINVAL, "sync: around 2^64: EINVAL");
	is(sync_caches(fd, id, 1, page, ~0ull), -EINVAL, "sync: and almost: EINVAL");
	is(sync_caches(fd, id + 1, 1, 0, page), -ENOENT, "sync: what is not pinned: ENOENT");
	is(xioctl(fd, EVFIO_DEVICE_SYNC, &arg), -EINVAL, "sync: argsz too short: EINVAL");
	arg = (struct evfio_device_sync){ .argsz = sizeof(arg), .flags = EVFIO_SYNC_FOR_CPU,
					  .id = id, .pad = 1, .size = page };
	is(xioctl(fd, EVFIO_DEVICE_SYNC, &arg), -EINVAL, "sync: pad: EINVAL");
	unpin(fd, id);
	is(sync_caches(fd, id, 1, 0, page), -ENOENT, "sync: unpinned: ENOENT");
	mem_free(mem, 2 * page);

	mem = mem_new(200 * page);
	pin(fd, mem, 200 * page, RW, 0);
	is(sync_caches(fd, told.arg.id, EVFIO_SYNC_FOR_CPU, 0, 200 * page), 0, "sync: many pages");
	unpin(fd, told.arg.id);
	mem_free(mem, 200 * page);
}

/*
 * Whether exactly the lines of a range were cleaned, and for the CPU invalidated after that, piece
 * by piece, by the physical addresses in the trace. A line has at most 128 bytes.
 */
static bool traced_range(const uint8_t *mem, uint64_t offset, uint64_t size, bool for_cpu)
{
	FILE *file = fopen(KPROBES "trace", "re");
	unsigned long address, bytes, dir, cleaned = 0, cleaned_bytes = 0;
	uint64_t at = offset;
	bool right = file;
	const char *text;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		text = strstr(line, "paddr=");
		if (!text ||
		    sscanf(text, "paddr=%lx size=%lx dir=%lx", &address, &bytes, &dir) != 3)
			continue;
		if (strstr(line, " invalidate: ")) {
			if (dir == 1)	/* to the device: there is nothing to be done */
				continue;
			right &= for_cpu && address == cleaned && bytes == cleaned_bytes;
			cleaned = 0;
			continue;
		}
		/* The first may begin with the line that the range begins in. */
		if (at == offset)
			at -= (physical(mem + at) + at % page - address) % 128;
		/* A transfer both ways, or to the device, cleans on every architecture. */
		right &= dir == (for_cpu ? 0 : 1) && !cleaned && at < offset + size &&
			 bytes <= page - at % page &&
			 address == physical(mem + at) + at % page;
		at += bytes;
		cleaned = for_cpu ? address : 0;
		cleaned_bytes = bytes;
	}
	if (file)
		fclose(file);
	return right && !cleaned && at >= offset + size && at - offset - size < 128;
}

/*
 * PAGES pages in the middle of @area, which has 3 * HUGE bytes: half of them in one extent, a part
 * of a huge page if there is one, and half of them hardly neighbours.
 */
static uint8_t *mixed(uint8_t *area)
{
	uint8_t *huge = (uint8_t *)(((uintptr_t)area + HUGE - 1) & -(uintptr_t)HUGE), *mem;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	madvise(area, 3 * HUGE, MADV_NOHUGEPAGE);
	if (mmap(huge, HUGE, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | 21 << 26 /* 2 MiB */,
		 -1, 0) == MAP_FAILED)
		mmap(huge, HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	mem = huge + HUGE - PAGES / 2 * page;
	for (int p = 0; p < PAGES; p += 2)
		mem[p * page] = 1;
	for (int p = 1; p < PAGES; p += 2)
		mem[p * page] = 1;
	return mem;
}

/* Which lines, by the kernel's own functions that maintain them; @coherent: none. */
static void lines(const char *name, bool coherent)
{
	static const struct {
		uint64_t page, offset, size;	/* from which byte of which page on */
	} ranges[] = {
		{ 0, 0, 1 }, { 0, 63, 2 }, { 0, 64, 64 }, { 1, 130, 1 }, { 2, 4095, 2 },
		{ PAGES / 2 - 1, 1, 3 * 4096 }, { PAGES - 1, 4095, 1 }, { 0, 0, PAGES * 4096 },
	};
	uint8_t *area = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *mem = mixed(area);
	struct dev d;
	uint32_t id;

	if (file_write(KPROBES "kprobe_events",
		       "p:evfio/clean arch_sync_dma_for_device paddr=%x0 size=%x1 dir=%x2\n"
		       "p:evfio/invalidate arch_sync_dma_for_cpu paddr=%x0 size=%x1 dir=%x2\n")) {
		tap_skip("a kernel without events of kprobes");
		munmap(area, 3 * HUGE);
		return;
	}
	open_dev(&d, name);
	if (pin(d.fd, mem, PAGES * page, RW, 0))
		tap_bail("%s: no memory: %m", name);
	id = told.arg.id;
	for (size_t i = 0; i < 2 * sizeof(ranges) / sizeof(ranges[0]); i++) {
		const uint64_t offset = ranges[i / 2].page * page + ranges[i / 2].offset;
		const uint64_t size = ranges[i / 2].size;

		trace_clear(KPROBES "trace");
		file_write(KPROBES "events/evfio/enable", "1");
		is(sync_caches(d.fd, id, 1u << i % 2, offset, size), 0,
		   "%s: %llu bytes at %llu are synchronized for the %s", name,
		   (unsigned long long)size, (unsigned long long)offset, i % 2 ? "CPU" : "device");
		file_write(KPROBES "events/evfio/enable", "0");
		if (coherent)
			is(traced("paddr=", false), -1, "%s: coherent, so no line", name);
		else
			ok(traced_range(mem, offset, size, i % 2), "%s: these lines", name);
	}
	dev_close(&d);
	board_unbind(name);
	trace_clear(KPROBES "trace");
	trace_clear(KPROBES "kprobe_events");
	munmap(area, 3 * HUGE);
}

struct worker {
	int fd;
	uint8_t *mem;
	pthread_barrier_t start;
};

static void *pin_on(void *arg)
{
	struct worker *worker = arg;
	struct evfio_device_unpin undo = { .argsz = sizeof(undo) };
	struct {
		struct evfio_device_pin arg;
		struct evfio_device_extent room[PAGES];
	} mine = { .arg = { .argsz = sizeof(mine), .flags = RW, .size = PAGES * page,
			    .vaddr = (uintptr_t)worker->mem } };
	int ret;

	for (int i = 0; ; i++) {
		ret = xioctl(worker->fd, EVFIO_DEVICE_PIN, &mine);
		if (ret)
			break;
		undo.id = mine.arg.id;
		/* While the other may unpin it. */
		sync_caches(worker->fd, undo.id, 1u << i % 2, 0, PAGES * page);
		/* The other's, at times. */
		if (i % 8)
			xioctl(worker->fd, EVFIO_DEVICE_UNPIN, &undo);
		undo.id ^= 1;
		if (i % 8 == 4)
			xioctl(worker->fd, EVFIO_DEVICE_UNPIN, &undo);
	}
	return (void *)(intptr_t)ret;
}

/* Taken away while two threads pin and unpin. */
static void revoked(const char *name)
{
	uint8_t *mem = mem_new(PAGES * page);
	struct worker worker = { .mem = mem };
	pthread_t threads[2];
	struct dev d;
	void *ret[2];

	board_grace(50);
	for (int i = 0; i < 5; i++) {
		open_dev(&d, name);
		worker.fd = d.fd;
		for (int t = 0; t < 2; t++)
			pthread_create(&threads[t], NULL, pin_on, &worker);
		sleep_ms(20);
		is(board_unbind(name), 0, "%s: unbound while threads pin and unpin", name);
		for (int t = 0; t < 2; t++)
			pthread_join(threads[t], &ret[t]);
		is((intptr_t)ret[0], -ENODEV, "%s: the first ends with ENODEV", name);
		is((intptr_t)ret[1], -ENODEV, "%s: and so does the second", name);
		is(pages_pinned(), pinned, "%s: nothing stays pinned", name);
		dev_close(&d);
	}
	is(unlocked(), 0, "nor locked");
	mem_free(mem, PAGES * page);
}

static void *pin_once(void *arg)
{
	struct worker *worker = arg;
	struct {
		struct evfio_device_pin arg;
		struct evfio_device_extent room[PAGES];
	} mine = { .arg = { .argsz = sizeof(mine), .flags = RW, .size = PAGES * page,
			    .vaddr = (uintptr_t)worker->mem } };

	pthread_barrier_wait(&worker->start);
	return (void *)(intptr_t)xioctl(worker->fd, EVFIO_DEVICE_PIN, &mine);
}

/*
 * Pinned by two threads at once while it is where it must not stay, in the CMA area. The kernel's
 * VFIO lets only one at a time pin memory for a container.
 */
static void moved(const char *name)
{
	struct worker worker = { };
	unsigned int changed = 0;
	pthread_t threads[2];
	intptr_t error = 0;
	uint64_t address;
	struct dev d;
	void *ret;

	pthread_barrier_init(&worker.start, NULL, 2);
	open_dev(&d, name);
	worker.fd = d.fd;
	/* New memory comes from there when more than half of what is free is there. */
	for (size_t size = 0; size < 48 << 20 && !changed; size += PAGES * page) {
		worker.mem = mem_new(PAGES * page);
		address = physical(worker.mem);
		if (pin(d.fd, worker.mem, PAGES * page, RW, ~0ull))
			tap_bail("%s: DEVICE_PIN: %m", name);
		changed = physical(worker.mem) != address;
		mem_free(worker.mem, PAGES * page);
	}
	changed = 0;
	for (int i = 0; i < 50; i++) {
		worker.mem = mem_new(PAGES * page);
		address = physical(worker.mem);
		for (int t = 0; t < 2; t++)
			pthread_create(&threads[t], NULL, pin_once, &worker);
		for (int t = 0; t < 2; t++) {
			pthread_join(threads[t], &ret);
			if (ret)
				error = (intptr_t)ret;
		}
		changed += physical(worker.mem) != address;
		mem_free(worker.mem, PAGES * page);
	}
	is(error, 0, "%s: two threads pin the same memory at once, 50 times", name);
	tap_note("%s: moved %u times", name, changed);
	dev_close(&d);
	pthread_barrier_destroy(&worker.start);
}

static void edu(const char *name)
{
	int c = container_open();
	struct dev d;

	is(check_extension(c, EVFIO_EXT_DEVICE_PIN), 1, "an empty container offers it");
	is(check_extension(c, EVFIO_EXT_DEVICE_SYNC), 1, "and maintenance of caches");
	close(c);
	open_dev(&d, name);
	is(check_extension(d.container, EVFIO_EXT_DEVICE_PIN), 1, "so does one of no-IOMMU mode");
	is(check_extension(d.container, EVFIO_EXT_DEVICE_SYNC), 1, "of both");
	bad_input(d.fd);
	addresses(d.fd);
	sync_input(d.fd);
	real_dma(&d);
	accounted(d.fd);
	dev_close(&d);
	board_unbind(name);
	is(pages_pinned(), pinned, "unbound: nothing is pinned");
}

/* A bus that shifts addresses, and has a window for them. */
static void ranged(void)
{
	const size_t size = 256 << 20;
	uint8_t *mem = mem_new(size);
	int in = 0, out = 0, wrong = 0, ret;
	struct dev d;

	/* So much that some of it is inside the window, some outside. */
	dev_open(&d, RANGED);
	for (size_t at = 0; at < size; at += 64 * page) {
		uint64_t address;

		ret = pin(d.fd, mem + at, page, RW, ~0ull);
		/* Where it is now: what could move has been moved to be pinned. */
		address = physical(mem + at);
		if (address - RANGED_MEMORY < RANGED_SIZE) {
			in++;
			wrong += ret || told.arg.nr_extents != 1 ||
				 told.arg.extents[0].address - RANGED_BUS !=
				 address - RANGED_MEMORY;
		} else {
			out++;
			wrong += ret != -ERANGE;
		}
	}
	tap_note("%d pages inside, %d outside", in, out);
	ok(in && out, "some memory is inside the bus's window, some outside");
	is(wrong, 0, "that is ERANGE; what is inside is told by the bus's addresses");
	dev_close(&d);
	board_unbind(RANGED);
	is(pages_pinned(), pinned, "unbound: nothing is pinned");
	mem_free(mem, size);
}

static void with_iommu(void)
{
	uint8_t *mem = mem_new(page);
	struct dev d;

	dev_open(&d, EDU0);
	is(check_extension(d.container, EVFIO_EXT_DEVICE_PIN), 0,
	   "a container with an IOMMU does not offer it");
	is(pin(d.fd, mem, page, RW, 0), -ENOTTY, "a device with an IOMMU: ENOTTY");
	is(unpin(d.fd, 0), -ENOTTY, "to unpin as well");
	is(sync_caches(d.fd, 0, 1, 0, page), -ENOTTY, "to maintain caches as well");
	is(check_extension(d.container, EVFIO_EXT_DEVICE_SYNC), 0, "nor is that offered");
	dev_close(&d);
	mem_free(mem, page);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (file_write(PARAMETER, "1")) {
		tap_skip("VFIO without no-IOMMU mode");
		return tap_done();
	}
	pinned = pages_pinned();
	if (!access(board_path(RANGED, ""), F_OK)) {
		ranged();
		with_iommu();
	} else if (file_count("/proc/cmdline", "swiotlb=force")) {
		uint8_t *mem = mem_new(page);

		dev_open(&d, EDU0);
		is(pin(d.fd, mem, page, RW, 0), -EOPNOTSUPP, "all DMA is bounced: EOPNOTSUPP");
		dev_close(&d);
	} else if (file_count("/proc/cmdline", "cma=256M")) {
		moved(PCI_EDU);
	} else if (!access(board_path(PCI_EDU, ""), F_OK)) {
		edu(PCI_EDU);
		closed(PCI_EDU, true);
		killed(PCI_EDU);
		order(PCI_EDU, "pci_clear_master");
		revoked(PCI_EDU);
	} else {
		edu(EDU0);
		closed(EDU0, false);
		closed(EDU1, true);
		order(EDU1, "reset_control_assert");
		board_take(EDU2);
		lines(EDU3, false);
		board_unbind(EDU2);
		lines(EDU1, true);
		revoked(EDU1);
	}
	return tap_done();
}
