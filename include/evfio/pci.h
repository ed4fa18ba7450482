/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * PCI devices: their configuration space. BARs and the ROM are regions, see <evfio/region.h>; INTx,
 * MSI and MSI-X are interrupts, see <evfio/irq.h>. Register numbers are in <linux/pci_regs.h>.
 *
 * What is read and written is the kernel's view of the configuration space, in which registers that
 * concern more than the device are read-only or do nothing.
 *
 * Threads: as <evfio/evfio.h> says; but evfio_pci_command() reads and then writes.
 */
#ifndef EVFIO_PCI_H
#define EVFIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_device;

/* Bits of the command register, for evfio_pci_command(). */
#define EVFIO_PCI_IO		(1U << 0)	/* the device answers in its I/O BARs */
#define EVFIO_PCI_MEMORY	(1U << 1)	/* ... and in its memory BARs */
#define EVFIO_PCI_MASTER	(1U << 2)	/* it may do DMA, and send MSI and MSI-X */

/**
 * evfio_pci_read() - read a register of the configuration space
 * @dev: device
 * @offset: in bytes, a multiple of @width
 * @width: 1, 2 or 4 bytes
 * @value: where the value goes, in the host's byte order
 *
 * Return: 0; -EOPNOTSUPP: not a PCI device; -EINVAL: bad width or alignment; -ERANGE: beyond the
 * configuration space, which has 256 bytes, or 4096 with PCI Express; or the errno of pread().
 */
int evfio_pci_read(const struct evfio_device *dev, uint32_t offset, unsigned int width,
		   uint32_t *value);

/**
 * evfio_pci_write() - write a register of the configuration space
 * @dev: device
 * @offset: in bytes, a multiple of @width
 * @width: 1, 2 or 4 bytes
 * @value: the value, in the host's byte order
 *
 * Return: as evfio_pci_read(), with the errno of pwrite().
 */
int evfio_pci_write(struct evfio_device *dev, uint32_t offset, unsigned int width, uint32_t value);

/**
 * evfio_pci_find_cap() - find a capability
 * @dev: device
 * @id: PCI_CAP_ID_* of <linux/pci_regs.h>
 *
 * Return: where the first of that kind begins in the configuration space; -ENOENT: there is none;
 * or as evfio_pci_read().
 */
int evfio_pci_find_cap(const struct evfio_device *dev, uint8_t id);

/**
 * evfio_pci_find_ext_cap() - find an extended capability, of PCI Express
 * @dev: device
 * @id: PCI_EXT_CAP_ID_* of <linux/pci_regs.h>
 *
 * Return: as evfio_pci_find_cap().
 */
int evfio_pci_find_ext_cap(const struct evfio_device *dev, uint16_t id);

/**
 * evfio_pci_command() - set or clear bits of the command register
 * @dev: device
 * @bits: EVFIO_PCI_*, or others of the register
 * @on: true to set them, false to clear them
 *
 * The register is read and written; what threads do at the same time may get lost. A device that is
 * just open answers in its BARs and is no bus master. Accesses to memory BARs that are
 * switched off are errors, or SIGBUS where they are mapped.
 *
 * Return: 0; or as evfio_pci_read() and evfio_pci_write().
 */
int evfio_pci_command(struct evfio_device *dev, uint16_t bits, bool on);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_PCI_H */
