/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Interrupts: each one that is open has an eventfd that counts its occurrences.
 *
 * An edge interrupt needs nothing but evfio_irq_wait(). A level interrupt is masked by the kernel
 * as it fires (EVFIO_IRQ_AUTOMASKED), since its line stays up until the device is told: wait, serve
 * the device so that the line drops, then evfio_irq_rearm().
 *
 * There are three ways to wait: evfio_irq_wait() sleeps until the interrupt comes; a loop around
 * poll() or epoll waits for evfio_irq_fd() among other files, and then takes the count by
 * evfio_irq_wait() with timeout 0; and who cannot sleep calls that over and over.
 *
 * A PCI device has the indices "intx" (level), "msi" and "msix" (edge, perhaps several vectors),
 * of which one can be open at a time, and two events: "err", an error of the device, and "req",
 * somebody wants it back.
 *
 * Other devices are given an index "msi" by evfio_device_msi(), if they can have one. There the
 * driver itself tells the device what to write, and where to: evfio_irq_message().
 *
 * Threads: as <evfio/evfio.h> says; but while evfio_device_msi() runs for a device, no other
 * function here does. Of several that wait for one interrupt, one gets each occurrence.
 */
#ifndef EVFIO_IRQ_H
#define EVFIO_IRQ_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_device;
struct evfio_irq;

/* Flags of interrupts; the values are those of VFIO_IRQ_INFO_* in <linux/vfio.h>. */
#define EVFIO_IRQ_EVENTFD	(1U << 0)
#define EVFIO_IRQ_MASKABLE	(1U << 1)
#define EVFIO_IRQ_AUTOMASKED	(1U << 2)
#define EVFIO_IRQ_NORESIZE	(1U << 3)

/**
 * struct evfio_irq_info - what an interrupt index is
 * @index: the index
 * @flags: EVFIO_IRQ_*; a level interrupt has EVFIO_IRQ_AUTOMASKED
 * @count: how many interrupts (MSI and MSI-X: vectors) it has; 0 for an index that the device does
 *	not implement
 * @name: from "interrupt-names" in the device's node, or the PCI name (intx ... req); "" if none
 */
struct evfio_irq_info {
	uint32_t index;
	uint32_t flags;
	uint32_t count;
	char name[64];
};

/**
 * evfio_irq_info() - describe an interrupt index
 * @dev: device
 * @index: interrupt, below evfio_device_irqs()
 * @info: where the description goes
 *
 * Return: 0; -EINVAL: no such index; -ENODEV: the device was removed.
 */
int evfio_irq_info(const struct evfio_device *dev, uint32_t index, struct evfio_irq_info *info);

/**
 * evfio_irq_index() - find an interrupt by name
 * @dev: device
 * @name: one of the device's "interrupt-names", or a PCI name
 *
 * Return: its index; -ENOENT: no interrupt has that name.
 */
int evfio_irq_index(const struct evfio_device *dev, const char *name);

/**
 * evfio_device_msi() - give a device that is not PCI an interrupt index for MSI
 * @dev: device
 * @count: how many vectors it is to have, 1 to 2048
 * @index: where the index goes: the next after those there are, "msi" by name
 *
 * The vectors are opened by evfio_irq_open_vectors(), all by one call; then the device's registers
 * are told each one's evfio_irq_message(). The index lasts until the device is closed.
 *
 * Return: 0; -ENOTTY: the device has no MSI controller ("msi-parent" in its device-tree node), or
 * is PCI, or VFIO is the kernel's own; -EINVAL: @count is out of range; -EBUSY: the device has such
 * an index already; -ENODEV: it was removed; -ENOMEM.
 */
int evfio_device_msi(struct evfio_device *dev, uint32_t count, uint32_t *index);

/**
 * evfio_irq_message() - what the device must write for a vector to fire
 * @irq: interrupt of evfio_device_msi()'s index
 * @address: where the address goes; it is the device's, as IOVAs are, and outside those that can be
 *	mapped
 * @data: where the data goes: 32 bits, little-endian
 *
 * It stays the same until the interrupt is closed. After evfio_device_reset() the device has to be
 * told it again.
 *
 * Return: 0; -EINVAL: another kind of interrupt; -ENODEV: the device was removed.
 */
int evfio_irq_message(const struct evfio_irq *irq, uint64_t *address, uint32_t *data);

/**
 * evfio_irq_open() - start to receive an interrupt, by index
 * @dev: device; it must stay open as long as the interrupt
 * @index: interrupt, below evfio_device_irqs(); of an index with several, the first
 * @out: where the interrupt goes; the caller owns it, until evfio_irq_close()
 *
 * The interrupt is unmasked afterwards.
 *
 * Return: 0; -EINVAL: no such index, or the kernel does not let its line be requested; -ENXIO: the
 * index is empty; -EMFILE: too many open files; -ENOMEM; -EBUSY: the line is shared with another
 * device; or the errno of VFIO_DEVICE_SET_IRQS.
 */
int evfio_irq_open(struct evfio_device *dev, uint32_t index, struct evfio_irq **out);

/**
 * evfio_irq_open_vectors() - start to receive several interrupts of an index
 * @dev: device; it must stay open as long as the interrupts
 * @index: interrupt, below evfio_device_irqs()
 * @first: the first, from 0
 * @count: how many, at least 1
 * @out: where they go, @count of them; the caller owns each, until evfio_irq_close()
 *
 * The first call for an index enables vectors up to the last one named in it. More can be had later
 * only if the index has not EVFIO_IRQ_NORESIZE: all vectors of MSI are to be opened by one call,
 * those of MSI-X may follow by and by on newer kernels. Single vectors may be closed and opened
 * again; when the last is closed, the index is switched off and the device uses it no more.
 *
 * Return: as evfio_irq_open(), all or none; -EINVAL also: the index does not have such vectors, or
 * can no longer get them; -ENOSPC: the kernel has fewer vectors to give; -EBUSY also: the PCI
 * device uses interrupts of another kind.
 */
int evfio_irq_open_vectors(struct evfio_device *dev, uint32_t index, uint32_t first,
			   uint32_t count, struct evfio_irq **out);

/**
 * evfio_irq_open_name() - start to receive an interrupt, by name
 * @dev: device; it must stay open as long as the interrupt
 * @name: one of the device's "interrupt-names", or a PCI name
 * @out: where the interrupt goes; the caller owns it, until evfio_irq_close()
 *
 * Return: as evfio_irq_open(); -ENOENT: no interrupt has that name.
 */
int evfio_irq_open_name(struct evfio_device *dev, const char *name, struct evfio_irq **out);

/**
 * evfio_irq_close() - stop to receive an interrupt
 * @irq: interrupt, or NULL for no effect
 */
void evfio_irq_close(struct evfio_irq *irq);

/**
 * evfio_irq_wait() - wait until the interrupt has fired
 * @irq: interrupt
 * @timeout_ms: how long to wait, in milliseconds; 0 only looks, and does not sleep; -1 waits for
 *	ever
 *
 * Occurrences are counted from one call to the next; the count is taken, so that two threads never
 * get the same one.
 *
 * Return: how often it fired, at least 1; -ETIMEDOUT: not in that time; -EINTR: a signal came;
 * -ENODEV: the device is being removed (see evfio_device_removed()): interrupts that fired are
 * still reported first, but nothing is waited for any more.
 */
int evfio_irq_wait(struct evfio_irq *irq, int timeout_ms);

/**
 * evfio_irq_rearm() - allow the next level interrupt
 * @irq: interrupt
 *
 * To be called when the device has been served and its line is down. Does nothing, successfully, to
 * an interrupt that is not EVFIO_IRQ_AUTOMASKED, so a driver can serve both kinds alike.
 *
 * Return: 0; or the errno of VFIO_DEVICE_SET_IRQS.
 */
int evfio_irq_rearm(struct evfio_irq *irq);

/**
 * evfio_irq_mask() - hold the interrupt back
 * @irq: interrupt with EVFIO_IRQ_MASKABLE
 *
 * Return: 0; -EOPNOTSUPP: it cannot be masked; or the errno of VFIO_DEVICE_SET_IRQS.
 */
int evfio_irq_mask(struct evfio_irq *irq);

/**
 * evfio_irq_unmask() - let the interrupt through again
 * @irq: interrupt with EVFIO_IRQ_MASKABLE
 *
 * Return: 0; -EOPNOTSUPP: it cannot be masked; or the errno of VFIO_DEVICE_SET_IRQS.
 */
int evfio_irq_unmask(struct evfio_irq *irq);

/**
 * evfio_irq_trigger() - make the interrupt fire without the device
 * @irq: interrupt
 *
 * To test a driver: the kernel signals the eventfd as if the device had raised the interrupt.
 *
 * Return: 0; or the errno of VFIO_DEVICE_SET_IRQS.
 */
int evfio_irq_trigger(struct evfio_irq *irq);

/**
 * evfio_irq_fd() - the interrupt's eventfd
 * @irq: interrupt
 *
 * For poll() and its sisters: readable when the interrupt has fired; then evfio_irq_wait() with
 * timeout 0 takes the count. That the device is about to go is seen at evfio_device_fd(). It stays
 * the interrupt's: do not close it.
 *
 * Return: the file descriptor.
 */
int evfio_irq_fd(const struct evfio_irq *irq);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_IRQ_H */
