// SPDX-License-Identifier: GPL-2.0-only
/*
 * libevfio on iommufd: two edus in one container of a kernel that has no other. Run by
 * tests/vm/guest/iommufd.sh as root: board-iommufd DEVICE DEVICE, both bound to VFIO.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <evfio/evfio.h>

#include "libtap.h"

#define SIZE	4096
#define BUFFER	0x40000		/* the device's own */

/* A device, open. */
struct edu {
	struct evfio_device *dev;
	struct evfio_region *regs;
	struct evfio_irq *irq;
};

static void edu_open(struct edu *edu, struct evfio_container *ct, const char *name)
{
	ok(!evfio_open_in(ct, name, &edu->dev) && !evfio_region_map(edu->dev, 0, &edu->regs) &&
	   !evfio_irq_open(edu->dev, 0, &edu->irq) && !evfio_device_set_dma(edu->dev, true),
	   "%s is open", name);
}

static void edu_close(struct edu *edu)
{
	evfio_irq_close(edu->irq);
	evfio_region_unmap(edu->regs);
	evfio_close(edu->dev);
}

/* Between memory and the device's buffer, with an interrupt at the end. */
static bool copy(const struct edu *edu, uint64_t iova, bool to_memory)
{
	evfio_write64(edu->regs, 0x80, to_memory ? BUFFER : iova);
	evfio_write64(edu->regs, 0x88, to_memory ? iova : BUFFER);
	evfio_write64(edu->regs, 0x90, SIZE / 2);
	evfio_write32(edu->regs, 0x98, 0x1 | 0x4 | (to_memory ? 0x2 : 0));
	if (evfio_irq_wait(edu->irq, 5000) < 1)
		return false;
	evfio_write32(edu->regs, 0x64, evfio_read32(edu->regs, 0x24));
	return !evfio_irq_rearm(edu->irq);
}

/* What this process has pinned, in KiB; -1 if that is not to be read. */
static long pinned(void)
{
	char line[128];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmPin: %ld kB", &kib) == 1)
			break;
	}
	if (file)
		fclose(file);
	return kib;
}

static void bad_mappings(struct evfio_container *ct)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct evfio_dma *a, *b, want;
	uint8_t *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
	uint64_t sizes = 0, kib;

	is(evfio_dma_page_sizes(ct, &sizes), 0, "what pages the IOMMU has");
	ok(sizes & page, "the kernel's is among them");
	munmap(memory + page, page);
	is(evfio_dma_map(ct, memory, 2 * page, EVFIO_DMA_BOTH, &a), -EFAULT, "half of it no memory");
	is(evfio_dma_map(ct, memory, page, EVFIO_DMA_BOTH, &a), 0, "the other half");
	want = *a;
	is(evfio_dma_map_at(ct, &want, EVFIO_DMA_BOTH, &b), -EEXIST, "an IOVA that is taken");
	want.iova = 0x8000000;
	is(evfio_dma_map_at(ct, &want, EVFIO_DMA_BOTH, &b), -ERANGE, "one that is the SMMU's for MSIs");
	is(evfio_container_pinned(ct, &kib), -EOPNOTSUPP, "iommufd does not tell what is pinned");
	is(evfio_dma_free(a), 0, "free");
	munmap(memory, page);
}

/* Of a user who has no CAP_IPC_LOCK. Two pages are mapped before. */
static void locked(struct evfio_container *ct)
{
	const struct rlimit small = { 4 * SIZE, RLIM_INFINITY };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct evfio_dma *a, *b;

	setrlimit(RLIMIT_MEMLOCK, &small);
	is(seteuid(1000), 0, "no longer root");
	is(evfio_dma_alloc(ct, 3 * SIZE, 0, EVFIO_DMA_BOTH, &a), 0, "12 KiB of 16 KiB");
	is(evfio_dma_alloc(ct, 2 * SIZE, 0, EVFIO_DMA_BOTH, &b), -ENOMEM, "8 KiB more are too much");
	message_has("this needs 8 KiB, 20 KiB are locked already, the limit is 16 KiB");
	is(evfio_dma_free(a), 0, "free");
	is(evfio_dma_alloc(ct, 2 * SIZE, 0, EVFIO_DMA_BOTH, &b), 0, "8 KiB alone are not");
	is(evfio_dma_free(b), 0, "free");
	is(seteuid(0), 0, "root again");
	setrlimit(RLIMIT_MEMLOCK, &none);
}

int main(int argc, char **argv)
{
	struct evfio_dma *a, *b, *lost;
	struct evfio_container *ct;
	struct evfio_device *again;
	struct edu one, two;
	void *kept;
	size_t i;

	if (argc != 3)
		return 2;
	is(evfio_container_new(&ct), 0, "a container");
	is(evfio_dma_alloc(ct, SIZE, 0, EVFIO_DMA_BOTH, &a), -ENODEV, "no device, no DMA");
	edu_open(&one, ct, argv[1]);
	edu_open(&two, ct, argv[2]);
	is(evfio_open(argv[1], &again), -EBUSY, "not twice");
	message_has("is in use by pid");
	is(evfio_dma_set_mask(ct, 28), 0, "28 bits of address");
	is(evfio_dma_alloc(ct, SIZE, 0, EVFIO_DMA_BOTH, &a), 0, "memory");
	is(evfio_dma_alloc(ct, SIZE, 0, EVFIO_DMA_BOTH, &b), 0, "more of it");
	for (i = 0; i < SIZE; i++)
		((uint8_t *)a->addr)[i] = (uint8_t)(i * 11);
	ok(copy(&one, a->iova, false), "from it to the first device");
	ok(copy(&one, b->iova, true), "from there to the other memory");
	ok(copy(&two, b->iova, false), "from that to the second device");
	memset(a->addr, 0, SIZE / 2);
	ok(copy(&two, a->iova, true), "and back to the first memory");
	ok(!memcmp(a->addr, b->addr, SIZE / 2) && ((uint8_t *)a->addr)[3] == 33, "where it came from");

	bad_mappings(ct);
	locked(ct);
	is(evfio_dma_free(b), 0, "free");

	/* With the last device the address space goes, and what was mapped in it. */
	lost = a;
	edu_close(&one);
	is(evfio_dma_alloc(ct, SIZE, 0, EVFIO_DMA_BOTH, &a), 0, "one device is left: DMA");
	is(evfio_dma_free(a), 0, "free");
	is(pinned(), SIZE / 1024, "what was mapped is pinned");
	kept = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, evfio_device_fd(two.dev), 0);
	ok(kept != MAP_FAILED, "registers are kept mapped");
	edu_close(&two);
	is(pinned(), 0, "none is left: nothing is pinned");
	munmap(kept, SIZE);
	is(evfio_dma_alloc(ct, SIZE, 0, EVFIO_DMA_BOTH, &a), -ENODEV, "no DMA");
	edu_open(&one, ct, argv[1]);
	is(evfio_dma_alloc(ct, SIZE, 0, EVFIO_DMA_BOTH, &a), 0, "in the next address space");
	is((long long)a->iova, (long long)lost->iova, "the IOVA of before is free");
	ok(copy(&one, a->iova, true), "and the device's");
	is(((uint8_t *)a->addr)[3], 33, "which has what it had");
	is(evfio_dma_free(lost), 0, "what was lost is freed");
	ok(copy(&one, a->iova, false), "that alone");
	is(evfio_dma_free(a), 0, "free");
	edu_close(&one);
	evfio_container_put(ct);
	return done();
}
