// SPDX-License-Identifier: GPL-2.0-only
/*
 * libevfio on the PCI board: what it has for PCI, on real functions. Run by
 * tests/vm/guest/libpci.sh as root; PCI_DEVICES in tests/vm/board.py says what the functions are.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <evfio/evfio.h>

#include "libtap.h"

#define EDU		"0000:00:01.0"
#define NVME		"0000:00:02.0"
#define NIC		"0000:00:03.0"
#define ROCKER		"0000:00:08.0"

#define ROCKER_TEST_IRQ	0x20		/* fires the vector whose number is written */
#define E1000_STATUS	0x08
#define E1000_IOADDR	0x00		/* in the I/O BAR: which register IODATA is */
#define E1000_IODATA	0x04

enum { QUIET = 50, SOON = 5000, VECTORS = 4 };

static sigjmp_buf after_sigbus;

static void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(after_sigbus, 1);
}

/* Whether a read of a mapped register is a bus error. */
static bool bus_error(const struct evfio_region *regs)
{
	volatile bool raised = false;

	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(after_sigbus, 1))
		evfio_read32(regs, 0);
	else
		raised = true;
	signal(SIGBUS, SIG_DFL);
	return raised;
}

static void config(void)
{
	struct evfio_device *dev;
	uint32_t value = 0;
	int msix;

	is(evfio_open(NVME, &dev), 0, "open " NVME);
	is(evfio_pci_read(dev, PCI_VENDOR_ID, 4, &value), 0, "its identifiers");
	is(value, 0x00101b36, "are those of QEMU's nvme");
	msix = evfio_pci_find_cap(dev, PCI_CAP_ID_MSIX);
	ok(msix >= PCI_STD_HEADER_SIZEOF, "it has MSI-X");
	evfio_pci_read(dev, (uint32_t)msix + PCI_MSIX_FLAGS, 2, &value);
	is(value & PCI_MSIX_FLAGS_QSIZE, 64, "with 65 vectors");
	is(evfio_pci_find_cap(dev, PCI_CAP_ID_MSI), -ENOENT, "no MSI");
	is(evfio_device_reset(dev), 0, "it can be reset");
	evfio_close(dev);

	is(evfio_open(NIC, &dev), 0, "open " NIC);
	is(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ERR), 0x100, "it reports errors");
	ok(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_DSN) > 0x100, "it has a serial number");
	evfio_close(dev);
	is(evfio_open(EDU, &dev), 0, "open " EDU);
	is(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ERR), -ENOENT, "it is not PCI Express");
	is(evfio_pci_read(dev, 256, 4, &value), -ERANGE, "and has 256 bytes");
	evfio_close(dev);
}

static void memory_decoding(void)
{
	struct evfio_device *dev;
	struct evfio_region *regs;
	uint64_t value;

	evfio_open(EDU, &dev);
	is(evfio_region_map_name(dev, "bar0", &regs), 0, "BAR 0 by name");
	ok(regs->base, "is mapped");
	is(evfio_read32(regs, 0), 0x010000ed, "and answers as soon as the device is open");
	is(evfio_pci_command(dev, EVFIO_PCI_MEMORY, false), 0, "memory off");
	ok(bus_error(regs), "a mapped register raises SIGBUS");
	is(evfio_region_read(regs, 0, 4, &value), -EIO, "by file access it is an error");
	is(evfio_pci_command(dev, EVFIO_PCI_MEMORY, true), 0, "memory on");
	is(evfio_read32(regs, 0), 0x010000ed, "it answers again");
	evfio_region_unmap(regs);
	evfio_close(dev);
}

/* edu copies one buffer to itself, and from there to the other; true if all has arrived. */
static bool copies(const struct evfio_region *regs, struct evfio_irq *irq,
		   const struct evfio_dma *a, const struct evfio_dma *b)
{
	const struct evfio_dma *at[] = { a, b };
	int i;

	memset(a->addr, 0x5a, 64);
	memset(b->addr, 0, 64);
	for (i = 0; i < 2; i++) {
		evfio_write64(regs, 0x80, i ? 0x40000 : at[i]->iova);
		evfio_write64(regs, 0x88, i ? at[i]->iova : 0x40000);
		evfio_write64(regs, 0x90, 64);
		evfio_write32(regs, 0x98, 0x1 | 0x4 | (i ? 0x2 : 0));
		if (evfio_irq_wait(irq, SOON) < 1)
			return false;
		evfio_write32(regs, 0x64, evfio_read32(regs, 0x24));
		evfio_irq_rearm(irq);
	}
	return !memcmp(a->addr, b->addr, 64);
}

static void bus_mastering(void)
{
	struct evfio_region *regs;
	struct evfio_container *ct;
	struct evfio_dma *a, *b;
	struct evfio_device *dev;
	struct evfio_irq *irq, *other;

	evfio_open(EDU, &dev);
	ct = evfio_device_container(dev);
	if (evfio_region_map(dev, 0, &regs) || evfio_irq_open_name(dev, "intx", &irq) ||
	    evfio_dma_set_mask(ct, 28) || evfio_dma_alloc(ct, 64, 0, EVFIO_DMA_BOTH, &a) ||
	    evfio_dma_alloc(ct, 64, 0, EVFIO_DMA_BOTH, &b)) {
		ok(false, "open all of it: %s", evfio_error());
		return;
	}
	ok(!copies(regs, irq, a, b), "just open, a device does no DMA");
	is(evfio_device_set_dma(dev, true), 0, "let it");
	ok(copies(regs, irq, a, b), "it does");
	is(evfio_device_set_dma(dev, false), 0, "let it no longer");
	ok(!copies(regs, irq, a, b), "it does not");
	is(evfio_irq_open_name(dev, "msi", &other), -EBUSY, "no MSI while INTx is open");
	evfio_irq_close(irq);
	evfio_device_set_dma(dev, true);
	is(evfio_irq_open_name(dev, "msi", &irq), 0, "MSI after it");
	ok(copies(regs, irq, a, b), "works, and needs no rearming");
	evfio_irq_close(irq);
	evfio_dma_free(a);
	evfio_dma_free(b);
	evfio_region_unmap(regs);
	evfio_close(dev);
}

static void ports_and_rom(void)
{
	struct evfio_region *bar0, *ports, *rom;
	struct evfio_device *dev;

	evfio_open(NIC, &dev);
	if (evfio_region_map_name(dev, "bar0", &bar0) ||
	    evfio_region_map_name(dev, "bar2", &ports) || evfio_region_map_name(dev, "rom", &rom)) {
		ok(false, "regions of " NIC ": %s", evfio_error());
		return;
	}
	ok(!ports->base, "I/O ports are not mapped");
	is(evfio_pci_command(dev, EVFIO_PCI_IO, true), 0, "I/O on");
	evfio_write32(ports, E1000_IOADDR, E1000_STATUS);
	is(evfio_read32(ports, E1000_IODATA), evfio_read32(bar0, E1000_STATUS),
	   "but lead to the same registers");
	is(evfio_read16(rom, 0), 0xaa55, "the ROM begins as ROMs do");
	evfio_write16(rom, 0, 0);
	message_has("not writable");
	evfio_region_unmap(bar0);
	evfio_region_unmap(ports);
	evfio_region_unmap(rom);
	evfio_close(dev);
}

/* Vector n is fired: does its interrupt say so, once, and no other? */
static bool fires(const struct evfio_region *regs, struct evfio_irq **irqs, uint32_t n)
{
	bool good;
	int i;

	evfio_write32(regs, ROCKER_TEST_IRQ, n);
	good = evfio_irq_wait(irqs[n], SOON) == 1;
	for (i = 0; i < VECTORS; i++)
		good &= !irqs[i] || evfio_irq_wait(irqs[i], 0) == -ETIMEDOUT;
	return good;
}

static void vectors(void)
{
	struct evfio_irq *irqs[VECTORS] = { 0 };
	struct evfio_irq_info info;
	struct evfio_region *regs;
	struct evfio_device *dev;
	uint32_t msix, i;
	int err;

	is(evfio_open(ROCKER, &dev), 0, "open " ROCKER);
	evfio_region_map(dev, 0, &regs);
	evfio_device_set_dma(dev, true);
	msix = (uint32_t)evfio_irq_index(dev, "msix");
	evfio_irq_info(dev, msix, &info);
	is(info.count, VECTORS, "MSI-X has four vectors");
	is(evfio_irq_open_vectors(dev, msix, 0, VECTORS, irqs), 0, "all of them");
	for (i = 0; i < VECTORS; i++)
		ok(fires(regs, irqs, i), "vector %u alone", i);
	evfio_irq_close(irqs[2]);
	irqs[2] = NULL;
	evfio_write32(regs, ROCKER_TEST_IRQ, 2);
	is(evfio_irq_wait(irqs[1], QUIET), -ETIMEDOUT, "one that is closed is nobody's");
	ok(fires(regs, irqs, 3), "its neighbour goes on");
	is(evfio_irq_open_vectors(dev, msix, 2, 1, &irqs[2]), 0, "open it again");
	evfio_irq_wait(irqs[2], QUIET);		/* what fired meanwhile may come now */
	ok(fires(regs, irqs, 2), "it fires");
	is(evfio_irq_trigger(irqs[3]), 0, "trigger one by software");
	is(evfio_irq_wait(irqs[3], 0), 1, "is that one");
	for (i = 0; i < VECTORS; i++)
		evfio_irq_close(irqs[i]);

	memset(irqs, 0, sizeof(irqs));
	is(evfio_irq_open(dev, msix, &irqs[0]), 0, "only the first");
	ok(fires(regs, irqs, 0), "fires");
	err = evfio_irq_open_vectors(dev, msix, 1, 3, &irqs[1]);
	is(err, info.flags & EVFIO_IRQ_NORESIZE ? -EINVAL : 0, "more of them as NORESIZE says");
	if (err) {
		message_has("open all of them at once");
		memset(&irqs[1], 0, sizeof(irqs) - sizeof(irqs[0]));
	}
	for (i = 0; i < VECTORS; i++)
		ok(!irqs[i] || fires(regs, irqs, i), "vector %u fires, if it is open", i);
	for (i = 0; i < VECTORS; i++)
		evfio_irq_close(irqs[i]);
	evfio_region_unmap(regs);
	evfio_close(dev);
}

/* On evfio's modules two things tell: the notice that all devices give, and PCI's own event. */
static void removal(void)
{
	struct evfio_irq *req, *irq;
	struct evfio_device *dev;
	int status = -1;
	pid_t pid;

	is(evfio_open(EDU, &dev), 0, "open " EDU);
	is(evfio_irq_open_name(dev, "req", &req), 0, "the event that somebody wants it back");
	is(evfio_irq_open_name(dev, "msi", &irq), 0, "and its interrupt");
	is(evfio_irq_wait(req, QUIET), -ETIMEDOUT, "nobody does");
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(execlp("evfio", "evfio", "unbind", EDU, NULL));
	ok(evfio_irq_wait(req, SOON) > 0, "somebody unbinds it");
	is(evfio_irq_wait(irq, SOON), -ENODEV, "its interrupt is not waited for any more");
	ok(evfio_device_removed(dev), "it is to be let go");
	evfio_irq_close(irq);
	evfio_irq_close(req);
	evfio_close(dev);
	waitpid(pid, &status, 0);
	is(status, 0, "and so it is unbound");
	is(evfio_bind(EDU), 0, "bind it again");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	config();
	memory_decoding();
	bus_mastering();
	ports_and_rom();
	vectors();
	removal();
	return done();
}
