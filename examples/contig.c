// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A contiguous buffer, by QEMU's edu device: what is at its beginning goes into the device and
 * comes back at its end.
 *
 *	contig [DEVICE]
 *
 * It is the same with an IOMMU and without one; in the latter case the device is bound in no-IOMMU
 * mode (docs/no-iommu.md), and this is run by root. examples/edu.c says more of the device (QEMU,
 * docs/specs/edu.rst).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evfio/evfio.h>

#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_START	0x1
#define EDU_DMA_TO_MEM	0x2
#define EDU_BUFFER	0x40000

/* What this one can address; QEMU's is told 28 bits, or more: -device edu,dma_mask= */
#define EDU_BITS	32

#define SIZE		(2u << 20)
#define ALIGN		(1u << 20)
#define BYTES		2048

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "contig: %s\n", evfio_error());
	exit(EXIT_FAILURE);
}

static void transfer(struct evfio_region *regs, uint64_t src, uint64_t dst, uint32_t direction)
{
	evfio_write64(regs, EDU_DMA_SRC, src);
	evfio_write64(regs, EDU_DMA_DST, dst);
	evfio_write64(regs, EDU_DMA_COUNT, BYTES);
	/* This write comes after all that is in memory by now: see <evfio/region.h>. */
	evfio_write32(regs, EDU_DMA_CMD, EDU_DMA_START | direction);
	while (evfio_read32(regs, EDU_DMA_CMD) & EDU_DMA_START)
		usleep(1000);
}

int main(int argc, char **argv)
{
	const size_t end = SIZE - BYTES;
	struct evfio_contig *buf;
	struct evfio_region *regs;
	struct evfio_device *dev;
	uint8_t *mem;
	size_t i;

	check(evfio_open(argc > 1 ? argv[1] : "10000000.edu", &dev));
	check(evfio_region_map(dev, 0, &regs));
	check(evfio_dma_set_mask(evfio_device_container(dev), EDU_BITS));
	check(evfio_device_set_dma(dev, true));
	check(evfio_contig_alloc(dev, SIZE, ALIGN, EVFIO_CONTIG_CACHED, &buf));
	printf("%zu bytes at 0x%" PRIx64 "\n", buf->size, buf->address);

	mem = buf->addr;
	for (i = 0; i < BYTES; i++)
		mem[i] = (uint8_t)(i * 7 + (i >> 8));
	check(evfio_contig_sync_for_device(buf, 0, buf->size));
	transfer(regs, buf->address, EDU_BUFFER, 0);
	transfer(regs, EDU_BUFFER, buf->address + end, EDU_DMA_TO_MEM);
	check(evfio_contig_sync_for_cpu(buf, end, BYTES));
	if (memcmp(mem, mem + end, BYTES)) {
		fputs("contig: what came back is not what was sent\n", stderr);
		return EXIT_FAILURE;
	}
	printf("all %d bytes are equal\n", BYTES);

	check(evfio_contig_free(buf));
	evfio_region_unmap(regs);
	evfio_close(dev);
	return EXIT_SUCCESS;
}
