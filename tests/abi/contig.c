// SPDX-License-Identifier: GPL-2.0-only
/*
 * contig - EVFIO_DEVICE_CONTIG: contiguous buffers for devices without an IOMMU
 *
 * On the boards without an SMMU; on one where devices have memory of their own; on one whose buses
 * are odd; and where the kernel bounces all DMA.
 */
/* vm: iommu=no timeout=120 cmdline="cma=64M" */
/* vm: iommu=no overlay="contig" stock="vgem" timeout=120 cmdline="cma=64M" */
/* vm: iommu=no board=pci bind=no timeout=120 kernels="6.1 6.12 7.2 7.2-16k" */
/* vm: iommu=no board=pci bind=no timeout=120 cmdline="cma=64M" kernels="6.12-sanitize" */
/* vm: iommu=no cmdline="swiotlb=force" kernels="6.1 6.12 7.2 7.2-16k 6.12-sanitize" */
/* vm: overlay="odd" cmdline="cma=64M" kernels="6.1 6.12 7.2 7.2-16k 6.12-sanitize" */
#define _GNU_SOURCE
#include <drm/drm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define PARAMETER	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define PER_CPU		"/proc/sys/vm/percpu_pagelist_high_fraction"
#define RANGED		"10410000.ranged"	/* tests/vm/odd.dtso */
#define RANGED_BUS	0x10000000ull
#define RANGED_SIZE	0x28000000ull
#define PLAIN		"10401000.plain"	/* tests/vm/contig.dtso */
#define SHARED		0x56000000ull
#define SHARED_SIZE	0x2000000ull
#define APART		0x58000000ull
#define APART_SIZE	0x100000ull

#define MIB	(1ull << 20)
#define NO_ID	0x5a5a5a5au

static size_t page;
static struct evfio_device_contig told;

static int contig(int fd, uint64_t size, uint64_t alignment, uint32_t flags, uint64_t mask)
{
	told = (struct evfio_device_contig){
		.argsz = sizeof(told),
		.flags = flags,
		.size = size,
		.alignment = alignment,
		.mask = mask,
		.id = NO_ID,
	};
	return xioctl(fd, EVFIO_DEVICE_CONTIG, &told);
}

static int contig_free(int fd, uint32_t id)
{
	struct evfio_device_contig_id arg = { .argsz = sizeof(arg), .id = id };

	return xioctl(fd, EVFIO_DEVICE_CONTIG_FREE, &arg);
}

static int contig_export(int fd, uint32_t id)
{
	struct evfio_device_contig_id arg = { .argsz = sizeof(arg), .id = id };

	return xioctl(fd, EVFIO_DEVICE_CONTIG_EXPORT, &arg);
}

/* What was told last, mapped; NULL if it cannot be. */
static uint8_t *map_at(int fd, uint64_t offset, size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	return mem == MAP_FAILED ? NULL : mem;
}

static uint8_t *map(int fd)
{
	return map_at(fd, told.offset, told.size);
}

static bool zero(const uint8_t *mem, size_t size)
{
	return !mem[0] && !memcmp(mem, mem + 1, size - 1);
}

static long cma_free_kb(void)
{
	return file_long("/proc/meminfo", "CmaFree");
}

/* What buffers hold comes back: all but what other pages, which move about, have taken. */
static bool cma_comes_back(long before)
{
	const long lost = before - cma_free_kb();

	tap_note("%ld of %ld kB of CMA lost", lost, before);
	return lost < 4 << 10;
}

static void open_dev(struct dev *d, const char *name)
{
	if (strchr(name, ':')) {
		pci_open(d, name);
		cfg_command(d, MASTER, 0);
	} else {
		dev_open(d, name);
	}
}

static void bad_input(int fd)
{
	struct evfio_device_contig_id arg = { .argsz = sizeof(arg) };
	struct evfio_device_contig *answer;
	int ret;

	is(contig(fd, 0, 0, 0, 0), -EINVAL, "no size: EINVAL");
	is(contig(fd, page / 2, 0, 0, 0), -EINVAL, "half a page: EINVAL");
	is(contig(fd, page, 3 * page, 0, 0), -EINVAL, "aligned to no power of two: EINVAL");
	is(contig(fd, page, 0, EVFIO_CONTIG_WC | EVFIO_CONTIG_CACHED, 0), -EINVAL,
	   "of two kinds: EINVAL");
	is(contig(fd, page, 0, 4, 0), -EINVAL, "of an unknown kind: EINVAL");
	told = (struct evfio_device_contig){ .argsz = sizeof(told), .size = page, .pad = 1 };
	is(xioctl(fd, EVFIO_DEVICE_CONTIG, &told), -EINVAL, "pad: EINVAL");
	told.pad = 0;
	told.argsz--;
	is(xioctl(fd, EVFIO_DEVICE_CONTIG, &told), -EINVAL, "argsz too short: EINVAL");
	is(xioctl(fd, EVFIO_DEVICE_CONTIG, NULL), -EFAULT, "no argument: EFAULT");
	is(contig(fd, -page, 0, 0, 0), -ENOMEM, "all there is, and more: ENOMEM");
	is(contig(fd, 1ull << 40, 0, 0, 0), -ENOMEM, "a tebibyte: ENOMEM");
	is(contig(fd, 2 * page, -1ull << 63, 0, 0), -ENOMEM, "aligned beyond all memory: ENOMEM");
	is(contig(fd, -page, 1ull << 63, 0, 0), -ENOMEM, "more than 2^64 altogether: ENOMEM");
	is(contig(fd, page, 0, 0, page - 1), -ERANGE, "a mask of a page: ERANGE");
	ret = contig(fd, page, 0, 0, (1 << 28) - 1);
	/* The kernel for 32-bit Arm may believe that there is some. */
	is(sizeof(long) < 8 && ret == -ENOMEM ? -ERANGE : ret, -ERANGE, "28 bits: ERANGE");
	answer = mem_new(page);
	*answer = (struct evfio_device_contig){ .argsz = sizeof(*answer), .size = page };
	mprotect(answer, page, PROT_READ);
	is(xioctl(fd, EVFIO_DEVICE_CONTIG, answer), -EFAULT, "nobody can be told the number: EFAULT");
	mem_free(answer, page);
	is(locked_kb(), 0, "nothing is locked");

	for (int i = 0; i < 2; i++) {
		const unsigned long cmd = i ? EVFIO_DEVICE_CONTIG_EXPORT : EVFIO_DEVICE_CONTIG_FREE;
		const char *what = i ? "export" : "free";

		arg = (struct evfio_device_contig_id){ .argsz = sizeof(arg), .flags = 1 };
		is(xioctl(fd, cmd, &arg), -EINVAL, "%s: flags: EINVAL", what);
		arg = (struct evfio_device_contig_id){ .argsz = sizeof(arg) - 1 };
		is(xioctl(fd, cmd, &arg), -EINVAL, "%s: argsz too short: EINVAL", what);
		arg = (struct evfio_device_contig_id){ .argsz = sizeof(arg), .id = NO_ID };
		is(xioctl(fd, cmd, &arg), -ENOENT, "%s what there is not: ENOENT", what);
	}
}

static void mapping(int fd)
{
	uint8_t *mem, *part;

	is(contig(fd, 4 * page, 0, 0, 0), 0, "four pages");
	is(locked_kb(), 4 * (long)page >> 10, "are locked");
	mem = map(fd);
	ok(mem, "and mapped");
	if (!mem)
		return;
	ok(zero(mem, 4 * page), "they are zero");
	mem_fill(mem, 4 * page, 3);
	part = map_at(fd, told.offset + page, 2 * page);
	ok(part && !memcmp(part, mem + page, 2 * page), "so is a part of them, with the same in it");
	ok(!map_at(fd, told.offset, 5 * page), "more than there is: not");
	ok(!map_at(fd, told.offset - page, page), "nor what is before it");
	ok(!map_at(fd, told.offset + 4 * page, page), "nor what is behind it");
	ok(!map_at(fd, told.offset | 1ull << 62, page), "nor far away");
	ok(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, (off_t)told.offset) == MAP_FAILED,
	   "nor privately");
	is(contig_free(fd, told.id), 0, "freed");
	ok(read_faults((void *)mem) && read_faults((void *)(part + page)),
	   "touching a mapping is SIGBUS");
	ok(!map(fd), "it cannot be mapped any more");
	is(contig_free(fd, told.id), -ENOENT, "nor freed: ENOENT");
	is(locked_kb(), 0, "nothing is locked");
	munmap(mem, 4 * page);
	munmap(part, 2 * page);
}

/* What there surely is: less for a 32-bit kernel, and little for one without CMA. */
static uint64_t in_one_piece(void)
{
	return (cma_free_kb() <= 0 ? 2 : sizeof(long) < 8 ? 4 : 24) * MIB;
}

static uint64_t several(void)
{
	return in_one_piece() < 8 * MIB ? in_one_piece() : 8 * MIB;
}

/* The device reads one end of a buffer and writes the other, which nothing else changes. */
static void real_dma(struct dev *d, uint64_t size, uint64_t alignment, uint32_t flags)
{
	const uint64_t far = size - page;
	uint8_t *mem;

	if (contig(d->fd, size, alignment, flags, 0)) {
		ok(false, "%s: %llu bytes: %m", d->name, (unsigned long long)size);
		return;
	}
	ok(!(told.address % (alignment ?: page)), "%s: %llu bytes of kind %u at a multiple of %llu",
	   d->name, (unsigned long long)size, flags, (unsigned long long)alignment);
	mem = map(d->fd);
	if (!mem)
		tap_bail("%s: cannot map a buffer: %m", d->name);
	ok(zero(mem, size), "all zero");
	mem_fill(mem, EDU_BUFFER_MAX, 5);
	is(edu_load(d, told.address, EDU_BUFFER_MAX), 0, "its first page goes into the device");
	is(edu_store(d, told.address + far, EDU_BUFFER_MAX), 0, "and into its last page");
	ok(mem_is(mem + far, EDU_BUFFER_MAX, 5), "where the program finds it");
	ok(zero(mem + EDU_BUFFER_MAX, far - EDU_BUFFER_MAX), "and nothing between them");
	memset(mem, 0xa5, size);
	is(contig_free(d->fd, told.id), 0, "freed");
	munmap(mem, size);
}

static void sizes(struct dev *d)
{
	const uint64_t large = in_one_piece();
	const long before = cma_free_kb();

	real_dma(d, 2 * page, 0, 0);
	real_dma(d, 16 * page, 0, EVFIO_CONTIG_WC);
	real_dma(d, 16 * page, 0, EVFIO_CONTIG_CACHED);
	real_dma(d, 2 * page, MIB, 0);
	real_dma(d, 16 * page, MIB, EVFIO_CONTIG_CACHED);
	if (before > 0) {
		/* More than pages of a size are ever put together. */
		real_dma(d, large + page, sizeof(long) < 8 ? MIB : 8 * MIB, 0);
		real_dma(d, large + page, MIB, EVFIO_CONTIG_CACHED);
	}
	is(contig(d->fd, large, 0, 0, 0), 0, "%u MiB", (unsigned int)(large / MIB));
	if (before > 0)
		ok(cma_free_kb() <= before - (long)(large / 1024 * 2 / 3), "they are CMA's");
	contig_free(d->fd, told.id);
	ok(cma_comes_back(before), "and come back to it");
	is(locked_kb(), 0, "nothing is locked");
}

static int limited(void *arg)
{
	const struct rlimit limit = { 4 * page, 4 * page };
	int fd = *(int *)arg, dmabuf;
	uint32_t id;

	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (contig(fd, 5 * page, 0, 0, 0) != -ENOMEM)
		return 1;
	if (contig(fd, page, 8 * page, 0, 0) != -ENOMEM)
		return 2;
	if (contig(fd, 4 * page, 0, 0, 0))
		return 3;
	id = told.id;
	dmabuf = contig_export(fd, id);
	if (dmabuf < 0 && dmabuf != -EOPNOTSUPP)
		return 4;
	if (contig_free(fd, id))
		return 5;
	/* The dma-buf has it yet. */
	if (dmabuf >= 0 && contig(fd, page, 0, 0, 0) != -ENOMEM)
		return 6;
	close(dmabuf);
	return contig(fd, page, 0, 0, 0) ? 7 : 0;
}

static void accounted(int fd)
{
	is(in_child_unprivileged(limited, &fd), 0,
	   "a process without privileges, given the device: RLIMIT_MEMLOCK holds");
	is(locked_kb(), 0, "on an account of its own");
	is(contig_free(fd, 0), 0, "what it left can be freed");
}

/* A dma-buf holds the memory, and no device. */
static void exported(const char *name)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct rlimit files, no_files = { 0 };
	uint8_t *mem, *dma;
	struct dev d;
	int fd;

	open_dev(&d, name);
	contig(d.fd, 4 * page, 0, EVFIO_CONTIG_CACHED, 0);
	mem = map(d.fd);
	fd = contig_export(d.fd, told.id);
	if (fd == -EOPNOTSUPP) {
		tap_skip("a kernel without dma-bufs");
		dev_close(&d);
		board_unbind(name);
		return;
	}
	ok(fd >= 0, "%s: a dma-buf", name);
	getrlimit(RLIMIT_NOFILE, &files);
	no_files.rlim_max = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &no_files);
	is(contig_export(d.fd, told.id), -EMFILE, "another, and no file is left: EMFILE");
	setrlimit(RLIMIT_NOFILE, &files);
	is(fcntl(fd, F_GETFD), FD_CLOEXEC, "closed on exec");
	is(lseek(fd, 0, SEEK_END), 4 * (long)page, "of the buffer's size");
	dma = map_at(fd, 0, 4 * page);
	ok(dma, "can be mapped");
	ok(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED, "not privately");
	ok(!map_at(fd, page, 4 * page), "nor beyond its end");
	if (!dma || !mem)
		tap_bail("a mapping: %m");
	is(xioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0, "to be written");
	mem_fill(dma, 4 * page, 9);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	is(xioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0, "and read by the device");
	ok(mem_is(mem, 4 * page, 9), "it is the same memory");
	is(contig_free(d.fd, told.id), 0, "the buffer is freed");
	ok(read_faults((void *)mem), "and not the program's any more");
	ok(mem_is(dma, 4 * page, 9), "but the dma-buf's");
	munmap(mem, 4 * page);

	dev_close(&d);
	is(board_unbind(name), 0, "%s: unbound with its dma-buf open", name);
	ok(mem_is(dma, 4 * page, 9), "which has its memory yet");
	is(locked_kb(), 4 * (long)page >> 10, "locked as before");
	is(xioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0, "and looks after caches");
	is(board_bind(name, HOST), strchr(name, ':') ? -ENODEV : 0, "another driver can have it");
	board_unbind(name);
	close(fd);
	ok(mem_is(dma, 4 * page, 9), "closed: the mapping has it");
	munmap(dma, 4 * page);
	is(locked_kb(), 0, "nothing is locked");
}

static int take_and_wait(void *arg)
{
	struct dev d;
	uint8_t *mem;

	open_dev(&d, arg);
	if (contig(d.fd, several(), 0, 0, 0))
		return 1;
	mem = map(d.fd);
	if (!mem)
		return 2;
	memset(mem, 1, told.size);
	raise(SIGKILL);
	return 3;
}

/* Buffers go with the last descriptor, where the device can be quieted. */
static void closed(const char *name, bool quiet)
{
	const uint64_t some = several();
	const long before = cma_free_kb();
	struct dev d;
	int other;

	open_dev(&d, name);
	other = device_fd(d.group, name);
	is(contig(d.fd, some, 0, 0, 0), 0, "%s: %u MiB", name, (unsigned int)(some / MIB));
	close(other);
	is(locked_kb(), (long)(some >> 10), "%s: another descriptor is closed: still there", name);
	dev_close(&d);
	is(locked_kb(), quiet ? 0 : (long)(some >> 10), "%s: closed: %s", name,
	   quiet ? "gone" : "nothing could stop it: still there");
	is(in_child(take_and_wait, (void *)name), -SIGKILL, "%s: a process is killed", name);
	if (quiet)
		ok(cma_comes_back(before), "%s: its buffer is gone", name);
	else if (before > 0)
		ok(cma_free_kb() <= before - (long)((2 * some - MIB) >> 10),
		   "%s: as much again is there", name);
	is(board_unbind(name), 0, "%s: unbound", name);
	ok(cma_comes_back(before), "%s: all is given back", name);
	is(locked_kb(), 0, "nothing is locked");
}

/* Who is killed during DMA to a buffer; a dma-buf shows us what comes there afterwards. */
static void killed(const char *name)
{
	uint8_t *mem;
	struct dev d;
	int go[2], fd;
	pid_t pid;

	open_dev(&d, name);
	if (contig(d.fd, page, 0, 0, 0) || pipe(go))
		tap_bail("%s: no buffer: %m", name);
	fd = contig_export(d.fd, told.id);
	if (fd == -EOPNOTSUPP) {
		tap_skip("a kernel without dma-bufs");
		dev_close(&d);
		board_unbind(name);
		return;
	}
	mem = map_at(fd, 0, page);
	if (!mem)
		tap_bail("%s: no dma-buf: %m", name);
	mem_fill(mem, page, 7);
	edu_load(&d, told.address, EDU_BUFFER_MAX);
	memset(mem, 0, page);
	is(edu_store(&d, told.address, EDU_BUFFER_MAX), 0, "a transfer to memory");
	ok(mem_is(mem, EDU_BUFFER_MAX, 7), "arrives there");
	memset(mem, 0, page);
	pid = fork();
	if (!pid) {
		/* When the other has closed it. QEMU's edu takes 100 ms. */
		if (read(go[0], &fd, 1) == 1)
			edu_dma_start(&d, told.address, EDU_BUFFER_MAX, EDU_DMA_STORE);
		raise(SIGKILL);
	}
	dev_close(&d);
	is(write(go[1], "", 1), 1, "another process has the device");
	is(child_wait(pid), -SIGKILL, "and dies during a transfer");
	sleep_ms(500);
	ok(zero(mem, page), "nothing comes there any more");
	munmap(mem, page);
	close(fd);
	close(go[0]);
	close(go[1]);
	is(locked_kb(), 0, "nothing is locked");
	board_unbind(name);
}

/* The kernel's own functions, traced: first the device is quiet, then its memory goes. */
static void order(const char *name, const char *quiet)
{
	char events[256];

	snprintf(events, sizeof(events), "p:evfio/quiet %s\np:evfio/free dma_free_attrs\n", quiet);
	if (file_write(KPROBES "kprobe_events", events)) {
		tap_skip("a kernel without events of kprobes");
		return;
	}
	file_write(KPROBES "events/evfio/enable", "1");
	is(in_child(take_and_wait, (void *)name), -SIGKILL, "%s: a process is killed", name);
	file_write(KPROBES "events/evfio/enable", "0");
	ok(traced("quiet: ", false) > 0 && traced("free: ", false) > traced("quiet: ", true),
	   "%s: memory is freed after %s()", name, quiet);
	trace_clear(KPROBES "trace");
	trace_clear(KPROBES "kprobe_events");
	board_unbind(name);
}

static void *take_on(void *arg)
{
	const int device = *(int *)arg;
	struct evfio_device_contig mine = { .argsz = sizeof(mine), .size = 4 * page };
	int ret, fd;
	void *mem;

	for (int i = 0; ; i++) {
		ret = xioctl(device, EVFIO_DEVICE_CONTIG, &mine);
		if (ret)
			break;
		mem = map_at(device, mine.offset, 4 * page);
		if (mem) {
			read_faults(mem);
			munmap(mem, 4 * page);
		}
		fd = contig_export(device, mine.id);
		if (fd >= 0)
			close(fd);
		if (i % 8)
			contig_free(device, mine.id);
		/* The other's, at times. */
		if (i % 8 == 4)
			contig_free(device, mine.id ^ 1);
	}
	return (void *)(intptr_t)ret;
}

/* Taken away while two threads allocate, map, export and free. */
static void revoked(const char *name)
{
	pthread_t threads[2];
	uint8_t *mem;
	struct dev d;
	void *ret[2];

	board_grace(50);
	for (int i = 0; i < 5; i++) {
		open_dev(&d, name);
		contig(d.fd, 4 * page, 0, 0, 0);
		mem = map(d.fd);
		ok(mem && !read_faults((void *)mem), "%s: a buffer is mapped", name);
		for (int t = 0; t < 2; t++)
			pthread_create(&threads[t], NULL, take_on, &d.fd);
		sleep_ms(20);
		is(board_unbind(name), 0, "%s: unbound while threads allocate and free", name);
		for (int t = 0; t < 2; t++)
			pthread_join(threads[t], &ret[t]);
		is((intptr_t)ret[0], -ENODEV, "%s: the first ends with ENODEV", name);
		is((intptr_t)ret[1], -ENODEV, "%s: and so does the second", name);
		ok(mem && read_faults((void *)mem), "%s: touching the mapping is SIGBUS", name);
		is(unlocked(), 0, "%s: nothing is locked", name);
		dev_close(&d);
		munmap(mem, 4 * page);
	}
}

static void edu(const char *name)
{
	int c = container_open();
	struct dev d;

	is(check_extension(c, EVFIO_EXT_DEVICE_CONTIG), 1, "an empty container offers it");
	close(c);
	open_dev(&d, name);
	is(check_extension(d.container, EVFIO_EXT_DEVICE_CONTIG), 1,
	   "so does one of no-IOMMU mode");
	bad_input(d.fd);
	mapping(d.fd);
	sizes(&d);
	accounted(d.fd);
	dev_close(&d);
	board_unbind(name);
	is(locked_kb(), 0, "unbound: nothing is locked");
}

/* Import into a driver of the kernel's whose device is not coherent: the handle, or an errno. */
static int imported(int drm, int fd)
{
	struct drm_prime_handle arg = { .fd = fd };

	return xioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg) ?: (int)arg.handle;
}

static int import_and_refuse(const char *name, int drm)
{
	struct dev d;
	int fd, ret;

	open_dev(&d, name);
	if (contig(d.fd, page, 0, 0, 0))
		tap_bail("%s: no buffer: %m", name);
	fd = contig_export(d.fd, told.id);
	ret = imported(drm, fd);
	close(fd);
	dev_close(&d);
	board_unbind(name);
	return ret;
}

static void import(void)
{
	struct drm_gem_close undo = { };
	int drm = open("/dev/dri/card0", O_RDWR | O_CLOEXEC), fd;
	struct dev d;

	if (drm < 0)
		tap_bail("/dev/dri/card0: %m");
	open_dev(&d, EDU3);
	is(contig(d.fd, 4 * page, 0, EVFIO_CONTIG_CACHED, 0), 0, "a buffer for vgem");
	fd = contig_export(d.fd, told.id);
	undo.handle = imported(drm, fd);
	ok((int)undo.handle > 0, "is imported");
	close(fd);
	dev_close(&d);
	is(board_unbind(EDU3), 0, "its device is unbound");
	is(locked_kb(), 4 * (long)page >> 10, "vgem has it yet");
	is(xioctl(drm, DRM_IOCTL_GEM_CLOSE, &undo), 0, "until it lets go");
	is(locked_kb(), 0, "nothing is locked");
	is(import_and_refuse(EDU0, drm), -EOPNOTSUPP,
	   "of a coherent device, for one that is not: EOPNOTSUPP");
	is(import_and_refuse(EDU1, drm), -EOPNOTSUPP, "memory without pages: EOPNOTSUPP");
	close(drm);
}

/* A device that has memory of its own has its buffers there, and nowhere else. */
static void own_memory(const char *name, uint64_t base, uint64_t size)
{
	uint32_t ids[2];
	struct dev d;

	open_dev(&d, name);
	for (int i = 0; i < 2; i++) {
		is(contig(d.fd, size / 4, 0, 0, 0), 0, "%s: a quarter of its memory", name);
		ok(told.address >= base && told.address + told.size <= base + size, "is there");
		ids[i] = told.id;
	}
	if (base == APART)
		is(contig(d.fd, size, 0, 0, 0), -ENOMEM, "all of it: ENOMEM");
	for (int i = 0; i < 2; i++)
		is(contig_free(d.fd, ids[i]), 0, "freed");
	real_dma(&d, 4 * page, 0, 0);
	real_dma(&d, 4 * page, 16 * page, EVFIO_CONTIG_WC);
	real_dma(&d, 4 * page, 0, EVFIO_CONTIG_CACHED);
	is(contig(d.fd, size / 2, 0, 0, 0), 0, "%s: half of it", name);
	is(contig_export(d.fd, NO_ID), -ENOENT, "there is no other");
	dev_close(&d);
	board_unbind(name);
	is(locked_kb(), 0, "unbound: nothing is locked");
}

/* Of memory that the kernel does not map there is none that is cached but not coherent. */
static void not_cached(void)
{
	uint8_t *mem;
	struct dev d;

	dev_open(&d, PLAIN);
	is(contig(d.fd, 4 * page, 0, 0, 0), 0, PLAIN ": a buffer");
	ok(told.address - APART < APART_SIZE, "is in its memory");
	mem = map(d.fd);
	ok(mem && zero(mem, 4 * page), "mapped, and zero");
	mem_fill(mem, 4 * page, 4);
	ok(mem_is(mem, 4 * page, 4), "it can be written");
	is(contig(d.fd, 4 * page, 0, EVFIO_CONTIG_CACHED, 0), 0, "one that is cached");
	ok(told.address - APART >= APART_SIZE, "is not");
	munmap(mem, 4 * page);
	dev_close(&d);
	board_unbind(PLAIN);
}

/* A bus that shifts addresses, and has a window for them. */
static void ranged(void)
{
	struct dev d;

	dev_open(&d, RANGED);
	is(contig(d.fd, 16 * page, 0, 0, ~0ull), 0, "on a bus with a window");
	ok(told.address - RANGED_BUS < RANGED_SIZE, "a buffer is inside, by the bus's addresses");
	is(contig(d.fd, page, 0, 0, RANGED_BUS - 1), -ERANGE, "below the window: ERANGE");
	dev_close(&d);
	board_unbind(RANGED);
	is(locked_kb(), 0, "unbound: nothing is locked");
}

static void with_iommu(void)
{
	struct dev d;

	dev_open(&d, EDU0);
	is(check_extension(d.container, EVFIO_EXT_DEVICE_CONTIG), 0,
	   "a container with an IOMMU does not offer it");
	is(contig(d.fd, page, 0, 0, 0), -ENOTTY, "a device with an IOMMU: ENOTTY");
	is(contig_free(d.fd, 0), -ENOTTY, "to free as well");
	is(contig_export(d.fd, 0), -ENOTTY, "and to export");
	ok(!map_at(d.fd, (2ull * 1 << 40) + (1 << 30), page), "nor can it be mapped");
	dev_close(&d);
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
	/* Few pages that are free but not counted as such. */
	file_write(PER_CPU, "100000000");
	if (!access(board_path(RANGED, ""), F_OK)) {
		ranged();
		with_iommu();
	} else if (file_count("/proc/cmdline", "swiotlb=force")) {
		dev_open(&d, EDU0);
		is(contig(d.fd, page, 0, 0, 0), -EOPNOTSUPP, "all DMA is bounced: EOPNOTSUPP");
		dev_close(&d);
	} else if (!access("/dev/dri/card0", F_OK)) {
		own_memory(EDU1, APART, APART_SIZE);
		own_memory(EDU2, SHARED, SHARED_SIZE);
		not_cached();
		edu(EDU3);
		exported(EDU3);
		import();
	} else if (!access(board_path(PCI_EDU, ""), F_OK)) {
		edu(PCI_EDU);
		exported(PCI_EDU);
		closed(PCI_EDU, true);
		killed(PCI_EDU);
		order(PCI_EDU, "pci_clear_master");
		revoked(PCI_EDU);
	} else {
		edu(EDU0);
		exported(EDU1);
		closed(EDU0, false);
		closed(EDU1, true);
		order(EDU1, "reset_control_assert");
		revoked(EDU1);
	}
	file_write(PER_CPU, "0");
	return tap_done();
}
