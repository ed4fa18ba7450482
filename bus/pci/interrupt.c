// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI function's interrupts: INTx, MSI or MSI-X, one kind at a time, and two events.
 *
 * The core does eventfds, masks and teardown; here a kind is switched on and off and lines get
 * their Linux interrupts. All under evfio_device::irq_lock. While INTx is not in use it is disabled
 * in the device, so that no device can keep a line up that nobody listens to.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/msi.h>

#include "pci.h"

static bool intx_claim(struct evfio_device *vdev)
{
	return pci_check_and_mask_intx(to_pci(vdev)->pdev);
}

static void intx_mask(struct evfio_device *vdev, bool mask)
{
	pci_intx(to_pci(vdev)->pdev, !mask);
}

static const struct evfio_line_ops intx_ops = {
	.claim	= intx_claim,
	.mask	= intx_mask,
};

static u32 count_vectors(struct pci_dev *pdev, u32 index)
{
	u16 flags;
	u8 pin;

	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		pci_read_config_byte(pdev, PCI_INTERRUPT_PIN, &pin);
		return pin && !pdev->is_virtfn && pdev->irq != IRQ_NOTCONNECTED;
	case VFIO_PCI_MSI_IRQ_INDEX:
		if (!pdev->msi_cap)
			return 0;
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, &flags);
		return 1 << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
	case VFIO_PCI_MSIX_IRQ_INDEX:
		if (!pdev->msix_cap)
			return 0;
		pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &flags);
		return (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	case VFIO_PCI_ERR_IRQ_INDEX:
		return pci_is_pcie(pdev);
	default:
		return 1;
	}
}

/**
 * pci_irqs_describe() - what interrupts a device has
 * @pv: the device; its num_irqs and irqs are filled in
 */
int pci_irqs_describe(struct pci_vdev *pv)
{
	struct evfio_device *vdev = &pv->vdev;
	struct pci_dev *pdev = pv->pdev;
	struct evfio_irq *irq;
	u32 index, count;
	int ret;

	vdev->irqs = kcalloc(VFIO_PCI_NUM_IRQS, sizeof(*vdev->irqs), GFP_KERNEL);
	if (!vdev->irqs)
		return -ENOMEM;
	for (index = 0; index < VFIO_PCI_NUM_IRQS; index++) {
		irq = &vdev->irqs[index];
		count = count_vectors(pdev, index);
		ret = evfio_irq_init(irq, count);
		if (ret)
			return ret;
		vdev->num_irqs++;
		irq->flags = VFIO_IRQ_INFO_EVENTFD;
		irq->unmaskable = -ENOTTY;
		irq->kind = index < VFIO_PCI_ERR_IRQ_INDEX ? EVFIO_IRQ_SWITCHED : EVFIO_IRQ_EVENT;
		if (index == VFIO_PCI_INTX_IRQ_INDEX)
			irq->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
		else if (index != VFIO_PCI_MSIX_IRQ_INDEX || !pci_vdev_msix_grows(pdev))
			irq->flags |= VFIO_IRQ_INFO_NORESIZE;
	}
	vdev->irqs[VFIO_PCI_ERR_IRQ_INDEX].hidden = !pci_is_pcie(pdev);
	irq = &vdev->irqs[VFIO_PCI_INTX_IRQ_INDEX];
	if (irq->count) {
		irq->lines->automask = true;
		irq->lines->vdev = vdev;
	}
	return 0;
}

/**
 * pci_irq_enable() - evfio_bus_ops::irq_enable
 * @vdev: the device
 * @index: VFIO_PCI_INTX_IRQ_INDEX, MSI or MSIX
 * @count: vectors
 */
int pci_irq_enable(struct evfio_device *vdev, u32 index, u32 count)
{
	struct pci_vdev *pv = to_pci(vdev);
	struct pci_dev *pdev = pv->pdev;
	int got;

	if (pv->in_use != VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	if (index == VFIO_PCI_INTX_IRQ_INDEX) {
		if (!pdev->irq)
			return -ENODEV;
		vdev->irqs[index].lines->ops = pv->masks_intx ? &intx_ops : NULL;
		if (!pv->masks_intx)
			pci_intx(pdev, 1);
	} else {
		got = pci_alloc_irq_vectors(pdev, 1, count, index == VFIO_PCI_MSI_IRQ_INDEX ?
					    PCI_IRQ_MSI : PCI_IRQ_MSIX);
		if (got < (int)count) {
			if (got > 0)
				pci_free_irq_vectors(pdev);
			return got;
		}
		if (index == VFIO_PCI_MSI_IRQ_INDEX)
			pci_config_msi(pv, count);
	}
	pv->in_use = index;
	return 0;
}

/**
 * pci_irq_line() - evfio_bus_ops::irq_line
 * @vdev: the device
 * @index: that is in use
 * @line: vector
 *
 * A device that was reset behind our back has lost what was in its MSI-X table: written again.
 */
int pci_irq_line(struct evfio_device *vdev, u32 index, u32 line)
{
	struct pci_dev *pdev = to_pci(vdev)->pdev;
	struct msi_msg msg;
	int irq;

	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		return pdev->irq;
	irq = pci_irq_vector(pdev, line);
	if (index == VFIO_PCI_MSI_IRQ_INDEX)
		return irq;
	if (irq < 0)
		return pci_vdev_msix_grow(pdev, line);
	get_cached_msi_msg(irq, &msg);
	pci_write_msi_msg(irq, &msg);
	return irq;
}

/**
 * pci_irq_disable() - evfio_bus_ops::irq_disable
 * @vdev: the device
 * @index: that is in use
 */
void pci_irq_disable(struct evfio_device *vdev, u32 index)
{
	struct pci_vdev *pv = to_pci(vdev);

	if (index != VFIO_PCI_INTX_IRQ_INDEX)
		pci_free_irq_vectors(pv->pdev);
	pci_intx(pv->pdev, 0);	/* freeing vectors enables it */
	pv->in_use = VFIO_PCI_NUM_IRQS;
}

/**
 * pci_irq_begin() - evfio_bus_ops::irq_begin: the MSI-X table answers, whatever the user says
 * @vdev: the device; its regions stay as they are
 */
void pci_irq_begin(struct evfio_device *vdev)
{
	struct pci_vdev *pv = to_pci(vdev);
	u8 command;	/* of 16 bits: beside us eventfds write the upper ones, INTx's mask */

	pv->woken = pci_sleeps(pv->pdev) && pv->in_use == VFIO_PCI_MSIX_IRQ_INDEX;
	if (pv->woken) {
		pci_read_config_word(pv->pdev, PCI_COMMAND, &pv->command);
		pci_read_config_word(pv->pdev, pv->pdev->pm_cap + PCI_PM_CTRL, &pv->data_select);
		pci_power(pv, PCI_D0);
	}
	pci_read_config_byte(pv->pdev, PCI_COMMAND, &command);
	pv->forced_memory = !(command & PCI_COMMAND_MEMORY);
	if (pv->forced_memory)
		pci_write_config_byte(pv->pdev, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
}

/**
 * pci_irq_end() - evfio_bus_ops::irq_end: undo pci_irq_begin()
 * @vdev: the device
 */
void pci_irq_end(struct evfio_device *vdev)
{
	struct pci_vdev *pv = to_pci(vdev);
	u8 command;

	if (pv->forced_memory) {
		pci_read_config_byte(pv->pdev, PCI_COMMAND, &command);
		pci_write_config_byte(pv->pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	}
	if (pv->woken) {
		/* Waking it has cleared this. */
		pci_write_config_word(pv->pdev, pv->pdev->pm_cap + PCI_PM_CTRL,
				      pv->data_select & PCI_PM_CTRL_DATA_SEL_MASK);
		pci_power(pv, PCI_D3hot);
		pci_write_config_word(pv->pdev, PCI_COMMAND, pv->command);
	}
}
