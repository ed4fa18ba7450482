// SPDX-License-Identifier: GPL-2.0-only
/*
 * libevfio on the board: real devices, a real IOMMU. Run by tests/vm/guest/libevfio.sh as root,
 * with 10000000.edu (level interrupt) and 10100000.edu (edge interrupt, MSI, reset line) bound to
 * VFIO, and 10200000.edu and 10300000.edu, which are one isolation set, to nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <evfio/evfio.h>

#include "libtap.h"

#define LEVEL_DEV	"10000000.edu"
#define EDGE_DEV	"10100000.edu"
#define SET_ONE		"10200000.edu"
#define SET_TWO		"10300000.edu"

/* Built into Debian's kernels, and content with any device that has registers. */
#define HOST_DRIVER	"simple-reset"

#define LIMIT		"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
#define GRACE		"/sys/module/vfio/parameters/removal_grace_ms"
#define HUGE_PAGES	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static size_t page;	/* of the kernel */

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* DMA by edu: between memory and its buffer at 0x40000, with an interrupt at the end. */
static bool copy(struct evfio_region *regs, struct evfio_irq *irq, uint64_t iova, uint32_t count,
		 bool to_memory)
{
	evfio_write64(regs, 0x80, to_memory ? 0x40000 : iova);
	evfio_write64(regs, 0x88, to_memory ? iova : 0x40000);
	evfio_write64(regs, 0x90, count);
	evfio_write32(regs, 0x98, 0x1 | 0x4 | (to_memory ? 0x2 : 0));
	if (evfio_irq_wait(irq, 5000) < 1)
		return false;
	evfio_write32(regs, 0x64, evfio_read32(regs, 0x24));
	return !evfio_irq_rearm(irq);
}

static void registers(struct evfio_device *dev, struct evfio_region *regs)
{
	uint64_t value = 0;
	char text[32];
	uint32_t cell;

	is(evfio_read32(regs, 0), 0x010000ed, "the id register, mapped");
	is(evfio_region_read(regs, 0, 4, &value), 0, "by file access");
	is((long long)value, 0x010000ed, "the same");
	is(evfio_region_read(regs, 0, 1, &value), -EINVAL, "reg-io-width allows no single byte");
	is(evfio_region_write(regs, 4, 4, 0x55), 0, "a register is written by file access");
	is(evfio_read32(regs, 4), ~0x55U, "and answers");
	is(evfio_read32(regs, regs->size), 0xffffffff, "beyond the region: all ones");
	is(evfio_region_index(dev, "regs"), 0, "the region's name");
	is(evfio_irq_index(dev, "done"), 0, "the interrupt's name");
	is(evfio_dt_string(evfio_device_syspath(dev), "compatible", 0, text, sizeof(text)), 8,
	   "a string of the device tree");
	is_str(text, "qemu,edu", "what it is");
	is(evfio_dt_u32(evfio_device_syspath(dev), "reg-io-width", 0, &cell), 0, "a cell");
	is(cell, 4, "what it is");
}

static void level_interrupt(struct evfio_region *regs, struct evfio_irq *irq)
{
	is(evfio_irq_mask(irq), 0, "mask");
	evfio_write32(regs, 0x60, 1);
	is(evfio_irq_wait(irq, 100), -ETIMEDOUT, "what is masked does not fire");
	is(evfio_irq_unmask(irq), 0, "unmask");
	is(evfio_irq_wait(irq, 1000), 1, "it fires when unmasked");
	is(evfio_irq_rearm(irq), 0, "rearm without serving the device");
	is(evfio_irq_wait(irq, 1000), 1, "it fires again");
	evfio_write32(regs, 0x64, 1);
	is(evfio_irq_rearm(irq), 0, "rearm after serving it");
	is(evfio_irq_wait(irq, 100), -ETIMEDOUT, "silence");
	is(evfio_irq_trigger(irq), 0, "trigger by software");
	is(evfio_irq_wait(irq, 0), 1, "is seen");
	evfio_irq_rearm(irq);
}

/* Two devices in one address space: what the one writes, the other reads. */
static void shared(void)
{
	struct evfio_device *one, *two, *other;
	struct evfio_region *regs1, *regs2;
	struct evfio_irq *irq1, *irq2;
	struct evfio_dma *a, *b, *c;
	struct evfio_container *ct;
	uint64_t kib = 0;
	size_t i;

	is(evfio_container_new(&ct), 0, "a container");
	is(evfio_open_in(ct, LEVEL_DEV, &one), 0, LEVEL_DEV);
	is(evfio_open_in(ct, EDGE_DEV, &two), 0, EDGE_DEV);
	ok(evfio_device_group(one) != evfio_device_group(two), "in two groups");
	is(evfio_open(LEVEL_DEV, &other), -EBUSY, "a group cannot be opened twice");
	message_has("in use by pid");
	if (evfio_region_map(one, 0, &regs1) || evfio_region_map(two, 0, &regs2) ||
	    evfio_irq_open(one, 0, &irq1) || evfio_irq_open(two, 0, &irq2) ||
	    evfio_dma_set_mask(ct, 28) || evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &a) ||
	    evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &b) ||
	    evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_FROM_DEVICE, &c)) {
		ok(false, "open all of it: %s", evfio_error());
		return;
	}
	registers(one, regs1);
	level_interrupt(regs1, irq1);

	evfio_write32(regs2, 0x60, 1);
	is(evfio_irq_wait(irq2, 1000), 1, "an edge interrupt");
	is(evfio_irq_rearm(irq2), 0, "needs no rearming");
	evfio_write32(regs2, 0x64, 1);
	evfio_write32(regs2, 0x60, 1);
	is(evfio_irq_wait(irq2, 1000), 1, "fires again");
	evfio_write32(regs2, 0x64, 1);

	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, (long long)(3 * page / 1024), "three pages");
	for (i = 0; i < 4096; i++)
		((uint8_t *)a->addr)[i] = (uint8_t)(i * 11);
	ok(copy(regs1, irq1, a->iova, 2048, false), "from A to the first device");
	ok(copy(regs1, irq1, b->iova, 2048, true), "from there to B");
	ok(copy(regs2, irq2, b->iova, 2048, false), "from B to the second device");
	ok(copy(regs2, irq2, c->iova, 2048, true), "from there to C");
	ok(!memcmp(a->addr, c->addr, 2048), "A is C");

	is(evfio_dma_free(a), 0, "free A");
	is(evfio_dma_free(b), 0, "free B");
	is(evfio_dma_free(c), 0, "free C");
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, 0, "nothing");
	ok(!evfio_device_can_reset(one), LEVEL_DEV " has no reset");
	is(evfio_device_reset(one), -EOPNOTSUPP, "and so is not reset");
	ok(evfio_device_can_reset(two), EDGE_DEV " has a reset line");
	is(evfio_device_reset(two), 0, "and is reset");
	evfio_irq_close(irq1);
	evfio_irq_close(irq2);
	evfio_region_unmap(regs1);
	evfio_region_unmap(regs2);
	evfio_close(one);
	evfio_close(two);
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &a), -ENODEV, "no device, no DMA");
	evfio_container_put(ct);
}

/* MSI: the device's DMA writes what the kernel says. */
static void msi(void)
{
	struct evfio_irq *vectors[2], *done;
	struct evfio_region *regs;
	struct evfio_device *dev;
	struct evfio_dma *buf;
	uint64_t address = 0;
	uint32_t index = 0, data = 0;

	is(evfio_open(LEVEL_DEV, &dev), 0, LEVEL_DEV);
	is(evfio_device_msi(dev, 2, &index), -ENOTTY, "has no MSI controller");
	message_has("\"msi-parent\"");
	evfio_close(dev);
	is(evfio_open(EDGE_DEV, &dev), 0, EDGE_DEV);
	is(evfio_device_msi(dev, 2, &index), 0, "has one");
	is(evfio_irq_index(dev, "msi"), (int)index, "the index has a name");
	if (evfio_region_map(dev, 0, &regs) || evfio_irq_open(dev, 0, &done) ||
	    evfio_dma_alloc(evfio_device_container(dev), 4096, 0, EVFIO_DMA_BOTH, &buf)) {
		ok(false, "open all of it: %s", evfio_error());
		return;
	}
	is(evfio_irq_open_vectors(dev, index, 0, 2, vectors), 0, "two vectors");
	is(evfio_irq_message(done, &address, &data), -EINVAL, "the wired interrupt has no message");
	is(evfio_irq_message(vectors[1], &address, &data), 0, "the second vector has");
	memcpy(buf->addr, &data, sizeof(data));
	ok(copy(regs, done, buf->iova, sizeof(data), false), "the device reads its data");
	is(evfio_irq_wait(vectors[1], 0), -ETIMEDOUT, "nothing has fired");
	ok(copy(regs, done, address, sizeof(data), true), "it writes it to its address");
	is(evfio_irq_wait(vectors[1], 5000), 1, "the second vector fires");
	is(evfio_irq_wait(vectors[0], 100), -ETIMEDOUT, "the first does not");
	evfio_irq_close(vectors[0]);
	evfio_irq_close(vectors[1]);
	ok(copy(regs, done, address, sizeof(data), true), "closed, the device writes again");
	is(evfio_irq_open_vectors(dev, index, 0, 2, vectors), 0, "open again");
	is(evfio_irq_wait(vectors[1], 100), -ETIMEDOUT, "that is not heard");
	evfio_irq_close(vectors[0]);
	evfio_irq_close(vectors[1]);
	evfio_dma_free(buf);
	evfio_irq_close(done);
	evfio_region_unmap(regs);
	evfio_close(dev);
}

enum { THREADS = 4, ROUNDS = 100 };

static void *allocate(void *arg)
{
	long bad = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct evfio_dma *dma;

		if (evfio_dma_alloc(arg, 4096U * (1 + (unsigned int)i % 5), 0, EVFIO_DMA_BOTH,
				    &dma)) {
			bad++;
			continue;
		}
		memset(dma->addr, i, dma->size);
		bad += evfio_dma_free(dma) != 0;
	}
	return (void *)bad;
}

/* The limit of lockable memory, for a process without privileges that has inherited the device. */
static void memlock(struct evfio_container *ct)
{
	const struct rlimit limit = { 65536, 65536 };
	struct evfio_dma *dma;
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		bool good = !setrlimit(RLIMIT_MEMLOCK, &limit) && !setuid(1000) &&
			    evfio_dma_alloc(ct, 8 << 20, 0, EVFIO_DMA_BOTH, &dma) == -ENOMEM &&
			    strstr(evfio_error(), "needs 8 MiB, 0 bytes are locked already, the "
				   "limit is 64 KiB");

		if (!good)
			printf("# %s\n", evfio_error());
		good = good && !evfio_dma_alloc(ct, 65536, 0, EVFIO_DMA_BOTH, &dma) &&
		       !evfio_dma_free(dma);
		fflush(stdout);
		_exit(good ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	is(status, 0, "64 KiB of a limit of 64 KiB can be mapped, 8 MiB cannot, and it says so");
}

enum { PIECES = 64 };

/* Every other page of some memory, which the device reaches wherever they are. */
static void pieces(struct evfio_container *ct, struct evfio_region *regs, struct evfio_irq *irq)
{
	uint8_t *all = aligned_alloc(page, 2 * PIECES * page);
	struct evfio_dma *dmas[PIECES];
	struct iovec parts[PIECES];
	uint64_t kib = 0;
	int i, bad = 0;

	if (!all)
		abort();
	memset(all, 0, 2 * PIECES * page);
	for (i = 0; i < PIECES; i++)
		parts[i] = (struct iovec){ all + 2 * (size_t)i * page, page };
	if (!is(evfio_dma_map_many(ct, parts, PIECES, EVFIO_DMA_BOTH, dmas), 0, "map %d pieces",
		PIECES)) {
		free(all);
		return;
	}
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, (long long)(PIECES * page / 1024), "each piece");
	memset(all, 0x3c, 1024);
	bad += !copy(regs, irq, dmas[0]->iova, 1024, false);
	for (i = 1; i < PIECES; i += 31) {
		bad += !copy(regs, irq, dmas[i]->iova, 1024, true);
		bad += memcmp(all, parts[i].iov_base, 1024) != 0;
	}
	is(bad, 0, "DMA from the first to others");
	is(evfio_dma_free_many(dmas, PIECES), 0, "free them");
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, 0, "nothing");
	free(all);
}

/* A page of a buffer after the other, by a window that moves; what is unmapped is out of reach. */
static void windows(struct evfio_container *ct, struct evfio_region *regs, struct evfio_irq *irq)
{
	uint8_t *all = aligned_alloc(page, PIECES * page);
	struct evfio_slice slice = { 0, page };
	struct evfio_dma *window = NULL;
	struct evfio_buffer *buf;
	uint64_t kib = 0, iova;
	int i, bad = 0;

	if (!all)
		abort();
	memset(all, 0, PIECES * page);
	is(evfio_buffer_new(ct, all, PIECES * page, EVFIO_DMA_BOTH | EVFIO_BUFFER_LAZY, &buf), 0,
	   "register %d pages", PIECES);
	memset(all, 0x5a, 1024);
	bad += evfio_buffer_move(buf, &window, &slice, 1) != 0;
	bad += !copy(regs, irq, window->iova, 1024, false);
	for (i = 1; i < 2 * PIECES; i++) {
		slice.offset = (size_t)i % PIECES * page;
		bad += evfio_buffer_move(buf, &window, &slice, 1) != 0;
		if (i % 21)
			continue;
		bad += !copy(regs, irq, window->iova, 1024, true);
		bad += memcmp(all, all + slice.offset, 1024) != 0;
	}
	is(bad, 0, "DMA from its first page to others, by a window that moves");
	iova = window->iova;
	slice.size = 0;
	is(evfio_buffer_move(buf, &window, &slice, 1), 0, "unmap it");
	is(evfio_buffer_flush(buf), 0, "and have it out of reach");
	memset(all + slice.offset, 0, 1024);
	copy(regs, irq, iova, 1024, true);
	ok(!all[slice.offset], "which it is");
	is(evfio_buffer_free(buf), 0, "give the buffer back");
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, 0, "nothing");
	free(all);
}

static void memory(void)
{
	struct evfio_region *regs;
	pthread_t ids[THREADS];
	struct evfio_container *ct;
	struct evfio_device *dev;
	struct evfio_dma *dma, *huge;
	struct evfio_irq *irq;
	uint64_t kib = 0;
	void *readonly;
	long bad = 0;
	int i;

	is(evfio_open(LEVEL_DEV, &dev), 0, "open " LEVEL_DEV);
	ct = evfio_device_container(dev);
	evfio_region_map(dev, 0, &regs);
	evfio_irq_open(dev, 0, &irq);

	ok(put(HUGE_PAGES, "2"), "reserve two huge pages");
	is(evfio_dma_alloc(ct, 1, 0, EVFIO_DMA_BOTH | EVFIO_DMA_PAGE_2M, &huge), 0, "take one");
	is((long long)huge->size, 2 << 20, "of 2 MiB");
	/* Not where the IOMMU has no page of that size to use for it. */
	is((long long)(huge->iova % (page == 4096 ? 2U << 20 : page)), 0, "aligned");
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, 2048, "2 MiB");
	memset(huge->addr, 0x77, huge->size);
	ok(copy(regs, irq, huge->iova, 256, false) &&
	   copy(regs, irq, huge->iova + (1 << 20), 128, true), "DMA in it");
	is(evfio_dma_alloc(ct, 4 << 20, 0, EVFIO_DMA_BOTH | EVFIO_DMA_PAGE_2M, &dma), -ENOMEM,
	   "no more of them");
	message_has("hugepages-2048kB/nr_hugepages");
	is(evfio_dma_free(huge), 0, "give it back");
	put(HUGE_PAGES, "0");

	is(evfio_dma_alloc(ct, 8 << 20, 0, EVFIO_DMA_BOTH, &dma), 0, "8 MiB of ordinary memory");
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, 8192, "8 MiB");
	is(evfio_dma_free(dma), 0, "give them back");

	readonly = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is(evfio_dma_map(ct, readonly, page, EVFIO_DMA_FROM_DEVICE, &dma), -EFAULT,
	   "memory to read only cannot be written by the device");
	message_has("cannot be written while the device should");
	is(evfio_dma_map(ct, readonly, page, EVFIO_DMA_TO_DEVICE, &dma), 0, "but read");
	is(evfio_dma_free(dma), 0, "unmap it");
	munmap(readonly, page);
	is(evfio_dma_map(ct, readonly, page, EVFIO_DMA_TO_DEVICE, &dma), -EFAULT,
	   "memory that is not there");

	pieces(ct, regs, irq);
	windows(ct, regs, irq);
	memlock(ct);
	for (i = 0; i < THREADS; i++)
		pthread_create(&ids[i], NULL, allocate, ct);
	for (i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(ids[i], &result);
		bad += (long)result;
	}
	is(bad, 0, "%d threads allocate and free %d times", THREADS, ROUNDS);
	is(evfio_container_pinned(ct, &kib), 0, "what is pinned");
	is((long long)kib, 0, "nothing");
	evfio_irq_close(irq);
	evfio_region_unmap(regs);
	evfio_close(dev);
}

static void entry_limit(void)
{
	struct evfio_dma *dma[4];
	struct evfio_container *ct;
	struct evfio_device *dev;
	uint32_t left = 0;
	int i;

	ok(put(LIMIT, "3"), "a limit of 3 mappings");
	is(evfio_open(LEVEL_DEV, &dev), 0, "open " LEVEL_DEV);
	ct = evfio_device_container(dev);
	is(evfio_dma_available(ct, &left), 0, "mappings left");
	is(left, 3, "3");
	for (i = 0; i < 3; i++)
		is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &dma[i]), 0, "mapping %d", i);
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &dma[3]), -ENOSPC, "one too many");
	message_has("limit of 3 mappings");
	is(evfio_dma_free(dma[1]), 0, "one goes");
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &dma[1]), 0, "another comes");
	for (i = 0; i < 3; i++)
		evfio_dma_free(dma[i]);
	evfio_close(dev);
	put(LIMIT, "65535");
}

static void isolation(void)
{
	struct evfio_device *one, *two;
	struct evfio_container *ct;

	is(evfio_bind(SET_ONE), 0, "bind " SET_ONE);
	put("/sys/bus/platform/devices/" SET_TWO "/driver_override", HOST_DRIVER);
	ok(put("/sys/bus/platform/drivers_probe", SET_TWO), "a host driver takes " SET_TWO);
	is(evfio_open(SET_ONE, &one), -EPERM, SET_ONE " cannot be opened");
	message_has(SET_TWO " is bound to " HOST_DRIVER ": unbind it first");
	is(evfio_bind(SET_TWO), 0, "bind that too");
	is(evfio_open(SET_ONE, &one), 0, "now it can");
	is(evfio_open(SET_TWO, &two), -EBUSY, "the other not in a container of its own");
	message_has("another container");
	evfio_close(one);

	is(evfio_container_new(&ct), 0, "a container for both");
	is(evfio_open_in(ct, SET_ONE, &one), 0, "the one");
	is(evfio_open_in(ct, SET_TWO, &two), 0, "the other");
	evfio_close(two);
	evfio_close(one);
	evfio_container_put(ct);
	is(evfio_unbind(SET_TWO), 0, "unbind " SET_TWO);
	is(evfio_unbind(SET_TWO), -EINVAL, "once");
	message_has("not bound to VFIO");
	is(evfio_open(SET_TWO, &two), -ENODEV, "and not open it");
	message_has("run `evfio bind " SET_TWO "`");
}

static void unprivileged(void)
{
	struct evfio_device *dev;

	if (seteuid(1000)) {
		ok(false, "become nobody");
		return;
	}
	is(evfio_open(LEVEL_DEV, &dev), -EACCES, "somebody else cannot open it");
	message_has("udev rule");
	is(evfio_bind(SET_TWO), -EACCES, "nor bind");
	message_has("run this as root");
	is(evfio_unbind(LEVEL_DEV), -EACCES, "nor unbind");
	if (seteuid(0))
		ok(false, "become root again");
}

static sigjmp_buf after_sigbus;

static void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(after_sigbus, 1);
}

/* Unbinds in another process, as an administrator does. */
static pid_t unbind_elsewhere(const char *name)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		usleep(100000);
		_exit(evfio_unbind(name) ? 1 : 0);
	}
	return pid;
}

static void removal(void)
{
	struct evfio_region *regs;
	struct evfio_device *dev;
	struct evfio_irq *irq;
	volatile bool bus_error = false;
	int status = -1;
	pid_t pid;

	is(evfio_open(LEVEL_DEV, &dev), 0, "open " LEVEL_DEV);
	evfio_region_map(dev, 0, &regs);
	evfio_irq_open(dev, 0, &irq);
	ok(!evfio_device_removed(dev), "nobody wants it back");
	put(GRACE, "3000");
	pid = unbind_elsewhere(LEVEL_DEV);
	is(evfio_irq_wait(irq, 2000), -ENODEV, "unbinding ends the wait for an interrupt");
	message_has("being unbound");
	ok(evfio_device_removed(dev), "somebody wants it back");
	is(evfio_read32(regs, 0), 0x010000ed, "it still works");
	evfio_irq_close(irq);
	evfio_region_unmap(regs);
	evfio_close(dev);
	waitpid(pid, &status, 0);
	is(status, 0, "unbinding succeeds when it is closed");

	is(evfio_bind(LEVEL_DEV), 0, "bind it again");
	is(evfio_open(LEVEL_DEV, &dev), 0, "open it again");
	evfio_region_map(dev, 0, &regs);
	evfio_irq_open(dev, 0, &irq);
	put(GRACE, "100");
	pid = unbind_elsewhere(LEVEL_DEV);
	waitpid(pid, &status, 0);
	is(status, 0, "unbinding succeeds even if it is not closed");
	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(after_sigbus, 1))
		evfio_read32(regs, 0);
	else
		bus_error = true;
	signal(SIGBUS, SIG_DFL);
	ok(bus_error, "a mapped register raises SIGBUS then");
	is(evfio_irq_wait(irq, -1), -ENODEV, "interrupts are not waited for");
	is(evfio_irq_rearm(irq), -ENODEV, "nor rearmed");
	evfio_irq_close(irq);
	evfio_region_unmap(regs);
	evfio_close(dev);
	put(GRACE, "3000");
	is(evfio_bind(LEVEL_DEV), 0, "bind it again");
	is(evfio_open(LEVEL_DEV, &dev), 0, "and it is as before");
	evfio_close(dev);
}

int main(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared();
	msi();
	memory();
	entry_limit();
	isolation();
	unprivileged();
	removal();
	return done();
}
