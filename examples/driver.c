// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <evfio/evfio.h>
#include <stdio.h>
#include <string.h>

#define BUFFER	0x40000			/* the device's own, where its DMA reaches it */

/* Has the device copy 64 bytes, and waits until it has. */
static int copy(struct evfio_region *regs, struct evfio_irq *irq, uint64_t from, uint64_t to,
		uint32_t direction)
{
	evfio_write64(regs, 0x80, from);
	evfio_write64(regs, 0x88, to);
	evfio_write64(regs, 0x90, 64);
	evfio_write32(regs, 0x98, 1 | 4 | direction);	/* start, interrupt at the end */
	if (evfio_irq_wait(irq, 1000) < 0)
		return -1;
	evfio_write32(regs, 0x64, 0x100);		/* acknowledge, then ... */
	return evfio_irq_rearm(irq);			/* ... let the line fire again */
}

int main(void)
{
	struct evfio_device *dev = NULL;
	struct evfio_region *regs = NULL;
	struct evfio_irq *irq = NULL;
	struct evfio_dma *buf = NULL;
	int status = 1;

	if (evfio_open("10000000.edu", &dev) || evfio_region_map_name(dev, "regs", &regs) ||
	    evfio_irq_open_name(dev, "done", &irq) ||
	    evfio_dma_set_mask(evfio_device_container(dev), 28) ||
	    evfio_dma_alloc(evfio_device_container(dev), 4096, 0, EVFIO_DMA_BOTH, &buf))
		goto out;

	strcpy(buf->addr, "hello, device");
	if (evfio_dma_sync_for_device(buf, 0, buf->size) ||	/* nothing, if it is coherent */
	    copy(regs, irq, buf->iova, BUFFER, 0) ||		/* our memory to the device's */
	    copy(regs, irq, BUFFER, buf->iova + 64, 2) ||	/* and back */
	    evfio_dma_sync_for_cpu(buf, 0, buf->size))
		goto out;
	printf("id 0x%08x: %s\n", evfio_read32(regs, 0), (char *)buf->addr + 64);
	status = 0;
out:
	if (status)
		fprintf(stderr, "%s\n", evfio_error());		/* says what to do about it */
	evfio_dma_free(buf);
	evfio_irq_close(irq);
	evfio_region_unmap(regs);
	evfio_close(dev);
	return status;
}
