// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherence - devices that snoop the processors' caches and such that do not, in one container
 *
 * What the attributes of their mappings are is seen from outside: tests/vm/test_smmu.py runs this
 * with an eye on what the SMMU reads, and relies on which device reads what in which order.
 */
#include <linux/vfio.h>
#include <string.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define LEN	64

static size_t page;

static void cc(int container, const char *what)
{
	is(check_extension(container, VFIO_DMA_CC_IOMMU), 0, "%s: coherency is not enforced", what);
}

int main(int argc, char **argv)
{
	struct dev coherent, other;
	uint8_t *mem;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	mem = mem_new(2 * page);
	mem_fill(mem, 2 * page, 1);
	board_take(EDU2);

	/* The kernel answers whether the IOMMU makes all DMA coherent, which an SMMUv3 does not. */
	dev_open(&other, EDU3);
	cc(other.container, "without coherent devices");
	dev_close(&other);
	dev_open(&coherent, EDU0);
	cc(coherent.container, "with coherent devices alone");

	/* One mapping is older than the domain of the other device. */
	is(dma_map(coherent.container, mem, IOVA, page, RW), 0, "a page is mapped");
	dev_open_in(&other, EDU3, coherent.container);
	cc(coherent.container, "with both");
	is(dma_map(coherent.container, mem + page, IOVA + page, page, RW), 0, "a second one is");
	is(edu_load(&coherent, IOVA, LEN), 0, "the coherent device reads the first");
	is(edu_load(&coherent, IOVA + page, LEN), 0, "and the second");
	is(edu_load(&other, IOVA, LEN), 0, "the other device reads the first");
	is(edu_load(&other, IOVA + page, LEN), 0, "and the second");
	is(edu_store(&other, IOVA, LEN), 0, "and writes to the first");
	ok(!memcmp(mem, mem + page, LEN), "what it has read");
	dev_close(&other);
	cc(coherent.container, "when it has left");
	is(dma_unmap_all(coherent.container), 2 * (int64_t)page, "both are unmapped");
	dev_close(&coherent);
	mem_free(mem, 2 * page);
	board_unbind(EDU3);
	board_unbind(EDU2);
	board_unbind(EDU0);
	return tap_done();
}
