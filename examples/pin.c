// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * DMA without an IOMMU, by QEMU's edu device: a buffer that is in pieces goes into the device and
 * comes back, piece by piece.
 *
 *	pin [DEVICE]
 *
 * The device is bound in no-IOMMU mode (docs/no-iommu.md), and this is run by root. examples/edu.c
 * says more of the device (QEMU, docs/specs/edu.rst), and does the same with an IOMMU.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <evfio/evfio.h>

#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_START	0x1
#define EDU_DMA_TO_MEM	0x2
#define EDU_BUFFER	0x40000
#define EDU_MOST	2048	/* bytes that we let it move at once */

/* What this one can address; QEMU's is told 28 bits, or more: -device edu,dma_mask= */
#define EDU_BITS	32

#define PAGES		8

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "pin: %s\n", evfio_error());
	exit(EXIT_FAILURE);
}

static void transfer(struct evfio_region *regs, uint64_t src, uint64_t dst, uint64_t count,
		     uint32_t direction)
{
	evfio_write64(regs, EDU_DMA_SRC, src);
	evfio_write64(regs, EDU_DMA_DST, dst);
	evfio_write64(regs, EDU_DMA_COUNT, count);
	/* This write comes after all that is in memory by now: see <evfio/region.h>. */
	evfio_write32(regs, EDU_DMA_CMD, EDU_DMA_START | direction);
	while (evfio_read32(regs, EDU_DMA_CMD) & EDU_DMA_START)
		usleep(1000);
}

/* Copies from one to the other by way of the device, as far as both are in one piece at a time. */
static void copy(struct evfio_region *regs, const struct evfio_pin *from,
		 const struct evfio_pin *to)
{
	size_t at, step, left;

	for (at = 0; at < from->size; at += step) {
		uint64_t src = evfio_pin_address(from, at, &step);
		uint64_t dst = evfio_pin_address(to, at, &left);

		step = step < left ? step : left;
		step = step < EDU_MOST ? step : EDU_MOST;
		transfer(regs, src, EDU_BUFFER, step, 0);
		transfer(regs, EDU_BUFFER, dst, step, EDU_DMA_TO_MEM);
	}
}

int main(int argc, char **argv)
{
	const size_t size = PAGES * (size_t)sysconf(_SC_PAGESIZE);
	struct evfio_pin *from, *to;
	struct evfio_region *regs;
	struct evfio_device *dev;
	uint8_t *mem;
	size_t i;

	check(evfio_open(argc > 1 ? argv[1] : "10000000.edu", &dev));
	check(evfio_region_map(dev, 0, &regs));
	check(evfio_dma_set_mask(evfio_device_container(dev), EDU_BITS));
	check(evfio_device_set_dma(dev, true));

	mem = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return EXIT_FAILURE;
	for (i = 0; i < size; i++)
		mem[i] = (uint8_t)(i * 7 + (i >> 8));
	check(evfio_pin_memory(dev, mem, size, EVFIO_DMA_TO_DEVICE, &from));
	check(evfio_pin_memory(dev, mem + size, size, EVFIO_DMA_FROM_DEVICE, &to));
	for (i = 0; i < from->nr_extents; i++)
		printf("%-8s 0x%" PRIx64 " bytes at bus address 0x%" PRIx64 "\n", i ? "" : "from",
		       from->extents[i].size, from->extents[i].address);
	for (i = 0; i < to->nr_extents; i++)
		printf("%-8s 0x%" PRIx64 " bytes at bus address 0x%" PRIx64 "\n", i ? "" : "to",
		       to->extents[i].size, to->extents[i].address);

	copy(regs, from, to);
	if (memcmp(mem, mem + size, size)) {
		fputs("pin: what came back is not what was sent\n", stderr);
		return EXIT_FAILURE;
	}
	printf("%-8s all %zu bytes are equal\n", "compare", size);

	check(evfio_pin_free(from));
	check(evfio_pin_free(to));
	evfio_region_unmap(regs);
	evfio_close(dev);
	return EXIT_SUCCESS;
}
