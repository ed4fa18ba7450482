// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI of platform and AMBA devices: an interrupt index that the user asks for.
 *
 * The device tree names the device's MSI controller; where in its registers a device keeps its
 * messages it does not say. So the kernel allocates vectors and composes their messages, for the
 * address space that the device's group is attached to, and the user, who knows the registers,
 * programs them. A wrong message harms nobody else: only what was allocated for this device fires.
 *
 * The index is platform_vdev::msi, behind the wired ones, from EVFIO_DEVICE_MSI to the last close
 * or revocation. It is added under evfio_device::lock and published by num_irqs, so
 * that who sees the index sees it complete (evfio_irq_find()). It is taken back without a lock: at
 * the last close no call is under way, and after a revocation a call may still describe the index,
 * but touches its lines only under evfio_device::lock or irq_lock, where it finds the device
 * revoked.
 */
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include <linux/evfio.h>

#include "platform.h"

/**
 * platform_msi() - EVFIO_DEVICE_MSI
 * @obj: the device
 * @args: struct evfio_device_msi
 * @arg: the same, the user's
 *
 * Return: the index; -ENOTTY without an MSI controller; -EINVAL; -EBUSY; -ENOMEM; -ENODEV.
 */
long platform_msi(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_irq irq = {
		.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
		.kind = EVFIO_IRQ_SWITCHED,
		.unmaskable = -ENOTTY,
	};
	struct evfio_device_msi *msi = (void *)args;
	struct platform_vdev *pdev = obj;
	struct evfio_device *vdev = obj;
	long ret;

	if (!dev_get_msi_domain(vdev->dev))
		return -ENOTTY;
	if (msi->flags || !msi->count || msi->count > EVFIO_DEVICE_MSI_MAX)
		return -EINVAL;
	ret = evfio_irq_init(&irq, msi->count);
	if (ret)
		return ret;
	ret = evfio_device_lock(vdev);
	if (ret)
		goto free;
	if (pdev->msi) {
		ret = -EBUSY;
	} else {
		ret = vdev->num_irqs;
		pdev->msi = &vdev->irqs[ret];
		swap(*pdev->msi, irq);
		/* Who sees the number sees the index: evfio_irq_find() */
		smp_store_release(&vdev->num_irqs, ret + 1);
	}
	evfio_device_unlock(vdev);
free:
	kvfree(irq.lines);
	return ret;
}

/**
 * platform_msi_message() - EVFIO_DEVICE_MSI_MESSAGE
 * @obj: the device
 * @args: struct evfio_device_msi_message
 * @arg: the same, the user's
 *
 * Return: 0; -EINVAL for flags or a vector without a trigger; -ENODEV.
 */
long platform_msi_message(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device_msi_message *message = (void *)args;
	struct platform_vdev *pdev = obj;
	struct evfio_device *vdev = obj;
	struct evfio_line *line;
	struct msi_msg msg;
	long ret;

	if (message->flags)
		return -EINVAL;
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (pdev->msi && message->vector < pdev->msi->count) {
		line = &pdev->msi->lines[array_index_nospec(message->vector, pdev->msi->count)];
		if (line->trigger) {
			get_cached_msi_msg(line->hwirq, &msg);
			message->data = msg.data;
			message->address = (u64)msg.address_hi << 32 | msg.address_lo;
			ret = 0;
		}
	}
	evfio_device_unlock(vdev);
	return ret;
}

/* Instead of programming the device: keep the message for get_cached_msi_msg(). */
static void msi_write(struct msi_desc *desc, struct msi_msg *msg)
{
	desc->msg = *msg;
}

/**
 * platform_msi_enable() - evfio_bus_ops::irq_enable
 * @vdev: the device
 * @index: MSI's
 * @count: vectors
 */
int platform_msi_enable(struct evfio_device *vdev, u32 index, u32 count)
{
	return evfio_msi_alloc(vdev->dev, count, msi_write);
}

/**
 * platform_msi_line() - evfio_bus_ops::irq_line
 * @vdev: the device
 * @index: MSI's
 * @line: vector
 */
int platform_msi_line(struct evfio_device *vdev, u32 index, u32 line)
{
	int irq = msi_get_virq(vdev->dev, line);

	return irq ?: -EINVAL;
}

/**
 * platform_msi_disable() - evfio_bus_ops::irq_disable
 * @vdev: the device
 * @index: MSI's
 */
void platform_msi_disable(struct evfio_device *vdev, u32 index)
{
	evfio_msi_free(vdev->dev);
}

/**
 * platform_msi_close() - take the index back, if there is one
 * @pdev: the device, being closed: none of its lines fires any more
 */
void platform_msi_close(struct platform_vdev *pdev)
{
	struct evfio_device *vdev = &pdev->vdev;

	if (!pdev->msi)
		return;
	WRITE_ONCE(vdev->num_irqs, vdev->num_irqs - 1);
	kvfree(pdev->msi->lines);
	pdev->msi->lines = NULL;
	pdev->msi = NULL;
}
