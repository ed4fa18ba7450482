// SPDX-License-Identifier: GPL-2.0-only
/* PCI: configuration space, names, vectors. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "internal.h"
#include "libtap.h"

#define DEVICE	"0000:00:01.0"

/* What is in the device's file: its configuration space begins at CONFIG. */
enum { CONFIG = 4096 };
static uint8_t file[CONFIG + 4096];

static void config32(uint32_t at, uint32_t value)
{
	uint32_t i;

	for (i = 0; i < 4; i++)
		file[CONFIG + at + i] = (uint8_t)(value >> (8 * i));
}

static void make_config(void)
{
	config32(PCI_VENDOR_ID, 0x11e81234);
	config32(PCI_COMMAND, PCI_STATUS_CAP_LIST << 16 | PCI_COMMAND_MEMORY);
	config32(PCI_CAPABILITY_LIST, 0x40);
	config32(0x40, 0x5001 | 3U << 16);		/* power management */
	config32(0x50, 0x6209 | 0x1000 << 16);		/* the vendor's; low bits are reserved */
	config32(0x60, 0x4005);				/* MSI, back to the first: a circle */
	config32(0x100, 0x14010001);			/* errors */
	config32(0x140, 0x10020003);			/* serial number, back to the first */
	tree_file("dev/vfio/device-" DEVICE, (const char *)file, sizeof(file));
}

static void config_space(struct evfio_device *dev)
{
	uint32_t value = 0;

	is(evfio_pci_read(dev, PCI_VENDOR_ID, 4, &value), 0, "read 4 bytes");
	is(value, 0x11e81234, "which are little-endian");
	is(evfio_pci_read(dev, PCI_DEVICE_ID, 2, &value), 0, "2 bytes");
	is(value, 0x11e8, "are these");
	is(evfio_pci_read(dev, PCI_VENDOR_ID + 1, 1, &value), 0, "1 byte");
	is(value, 0x12, "is this");
	is(evfio_pci_read(dev, 0, 8, &value), -EINVAL, "8 bytes");
	message_has("1, 2 or 4 bytes, not 8");
	is(evfio_pci_read(dev, 0, 3, &value), -EINVAL, "3 bytes");
	is(evfio_pci_read(dev, 2, 4, &value), -EINVAL, "misaligned");
	is(evfio_pci_read(dev, 4096, 4, &value), -ERANGE, "beyond its end");
	is(evfio_pci_write(dev, PCI_INTERRUPT_LINE, 1, 0x55), 0, "write 1 byte");
	is(evfio_pci_write(dev, PCI_BASE_ADDRESS_0, 4, 0x89abcdef), 0, "4 bytes");
	evfio_pci_read(dev, PCI_INTERRUPT_LINE, 4, &value);
	is(value, 0x55, "no byte beside it");
	evfio_pci_read(dev, PCI_BASE_ADDRESS_0 + 2, 2, &value);
	is(value, 0x89ab, "in their order");

	is(evfio_pci_command(dev, EVFIO_PCI_MASTER, true), 0, "a bit of the command register");
	evfio_pci_read(dev, PCI_COMMAND, 4, &value);
	is(value, PCI_STATUS_CAP_LIST << 16 | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, "is added");
	is(evfio_pci_command(dev, EVFIO_PCI_MEMORY, false), 0, "another");
	evfio_pci_read(dev, PCI_COMMAND, 2, &value);
	is(value, PCI_COMMAND_MASTER, "is cleared");
	is(evfio_device_set_dma(dev, false), 0, "DMA off");
	evfio_pci_read(dev, PCI_COMMAND, 2, &value);
	is(value, 0, "is bus mastering off");
	is(evfio_device_set_dma(dev, true), 0, "DMA on");
	evfio_pci_read(dev, PCI_COMMAND, 2, &value);
	is(value, PCI_COMMAND_MASTER, "is bus mastering on");
}

static void capabilities(struct evfio_device *dev)
{
	is(evfio_pci_find_cap(dev, PCI_CAP_ID_PM), 0x40, "the first capability");
	is(evfio_pci_find_cap(dev, PCI_CAP_ID_MSI), 0x60, "the third, by a link with low bits set");
	is(evfio_pci_find_cap(dev, PCI_CAP_ID_MSIX), -ENOENT, "none, in a list that has no end");
	message_has(DEVICE " has no capability 0x11");
	is(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ERR), 0x100, "the first extended one");
	is(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_DSN), 0x140, "the second");
	is(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ATS), -ENOENT, "none, without end");
	message_has("no extended capability 0x000f");
	fake.config_size = 256;
	is(evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ERR), -ENOENT, "none without PCI Express");
	fake.config_size = 4096;
	evfio_pci_write(dev, 0x100, 4, 0);
	is(evfio_pci_find_ext_cap(dev, 0), -ENOENT, "none, says an empty first one");
	evfio_pci_write(dev, PCI_STATUS, 2, 0);
	is(evfio_pci_find_cap(dev, PCI_CAP_ID_PM), -ENOENT, "none, says the status register");
}

static void names(struct evfio_device *dev)
{
	struct evfio_region_info region;
	struct evfio_irq_info irq;

	is(evfio_region_index(dev, "bar5"), VFIO_PCI_BAR5_REGION_INDEX, "bar5");
	is(evfio_region_index(dev, "rom"), VFIO_PCI_ROM_REGION_INDEX, "rom");
	is(evfio_region_index(dev, "bar6"), -ENOENT, "no bar6");
	is(evfio_region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &region), 0, "a region");
	is_str(region.name, "config", "its name");
	is(evfio_irq_index(dev, "intx"), VFIO_PCI_INTX_IRQ_INDEX, "intx");
	is(evfio_irq_index(dev, "req"), VFIO_PCI_REQ_IRQ_INDEX, "req");
	is(evfio_irq_index(dev, "done"), -ENOENT, "no other");
	is(evfio_irq_info(dev, VFIO_PCI_MSIX_IRQ_INDEX, &irq), 0, "an interrupt");
	is_str(irq.name, "msix", "its name");
	is(irq.count, 4, "its vectors");
}

static void vectors(struct evfio_device *dev)
{
	const uint32_t msi = VFIO_PCI_MSI_IRQ_INDEX, msix = VFIO_PCI_MSIX_IRQ_INDEX;
	struct evfio_irq *irqs[4], *more, *intx;
	uint32_t index;

	is(evfio_device_msi(dev, 4, &index), -ENOTTY, "MSI is not asked for");
	message_has(DEVICE " is a PCI device: it has the interrupts");
	is(evfio_irq_open_vectors(dev, msi, 0, 0, irqs), -EINVAL, "no vectors");
	is(evfio_irq_open_vectors(dev, msi, 0, 5, irqs), -EINVAL, "five of four");
	message_has("interrupt 1 of " DEVICE " has 4 vectors");
	is(evfio_irq_open_vectors(dev, msi, UINT32_MAX, 2, irqs), -EINVAL, "from the last number");

	is(evfio_irq_open_vectors(dev, msi, 0, 3, irqs), 0, "three of MSI");
	is(fake.enabled, 3, "enabled by one call");
	is(fake.vector_fd[2], evfio_irq_fd(irqs[2]), "the kernel has the eventfd of each");
	is(evfio_irq_open_vectors(dev, msi, 3, 1, &more), -EINVAL, "a fourth cannot follow");
	message_has("open all of them at once");
	is(evfio_irq_open_name(dev, "intx", &intx), -EBUSY, "nor INTx beside them");
	message_has("interrupt \"msi\" of " DEVICE " is open");
	evfio_irq_close(irqs[1]);
	is(fake.vector_fd[1], -1, "one is closed");
	is(fake.enabled, 3, "the others go on");
	is(evfio_irq_open_vectors(dev, msi, 1, 1, &irqs[1]), 0, "and opened again");
	is(fake.vector_fd[1], evfio_irq_fd(irqs[1]), "with an eventfd");
	evfio_irq_close(irqs[0]);
	evfio_irq_close(irqs[1]);
	is(fake.enabled, 3, "as long as one is open, so is MSI");
	evfio_irq_close(irqs[2]);
	is(fake.enabled, 0, "with the last it is switched off");

	is(evfio_irq_open_name(dev, "intx", &intx), 0, "now INTx can be");
	evfio_irq_close(intx);
	is(evfio_irq_open(dev, msix, &irqs[0]), 0, "the first of MSI-X");
	is(evfio_irq_open_vectors(dev, msix, 1, 3, &irqs[1]), 0, "the rest, later");
	is(fake.vector_fd[3], evfio_irq_fd(irqs[3]), "each where it belongs");
	evfio_irq_close(irqs[0]);
	evfio_irq_close(irqs[1]);
	evfio_irq_close(irqs[2]);
	evfio_irq_close(irqs[3]);
	is(fake.enabled, 0, "all closed");

	fake.vectors = 2;
	is(evfio_irq_open_vectors(dev, msix, 0, 4, irqs), -ENOSPC, "more than the kernel has");
	message_has("can get 2 vectors of interrupt 2, not 4");
	is(evfio_irq_open_vectors(dev, msix, 0, 2, irqs), 0, "as many as it has");
	evfio_irq_close(irqs[0]);
	evfio_irq_close(irqs[1]);
	fake.vectors = 4;
}

static void platform(void)
{
	struct evfio_device *dev;
	uint32_t value;

	is(evfio_open("10000000.edu", &dev), 0, "a device that is not PCI");
	is(evfio_pci_read(dev, 0, 4, &value), -EOPNOTSUPP, "has no configuration space");
	message_has("10000000.edu is not a PCI device");
	is(evfio_device_set_dma(dev, true), 0, "and does DMA as it is");
	evfio_close(dev);
}

int main(void)
{
	struct evfio_device *dev;

	tree_new();
	tree_text("dev/vfio/8", "");
	make_config();
	fake_reset();
	if (is(evfio_open(DEVICE, &dev), 0, "open " DEVICE)) {
		config_space(dev);
		capabilities(dev);
		names(dev);
		vectors(dev);
		evfio_close(dev);
	}
	platform();
	tree_free();
	return done();
}
