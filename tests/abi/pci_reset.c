// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_reset - a function reset by itself, by way of its configuration space, and with its whole bus
 */
/* vm: board=pci */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define NVME_CC		0x14
#define NVME_CSTS	0x1c
#define NVME_AQA	0x24
#define NVME_ASQ	0x28
#define NVME_ACQ	0x30
#define NVME_ENABLE	0x00460001u	/* queue entries of 64 and 16 bytes, enable */
#define NVME_READY	0x1u

#define NIC_RDLEN	0x02808		/* a register that a reset clears */
#define NIC_RING	0x1000u

/* The controller runs as soon as it has places for its first queues, memory or not. */
static bool nvme_start(struct dev *d)
{
	long end = now_ms() + SOON;

	dev_write(d, NVME_AQA, 0x00010001);
	dev_write(d, NVME_ASQ, IOVA);
	dev_write(d, NVME_ASQ + 4, 0);
	dev_write(d, NVME_ACQ, IOVA + 0x10000);
	dev_write(d, NVME_ACQ + 4, 0);
	dev_write(d, NVME_CC, NVME_ENABLE);
	while (!(dev_read(d, NVME_CSTS) & NVME_READY) && now_ms() < end)
		sleep_ms(1);
	return dev_read(d, NVME_CSTS) & NVME_READY;
}

static bool nvme_stopped(struct dev *d)
{
	return !dev_read(d, NVME_CC) && !(dev_read(d, NVME_CSTS) & NVME_READY);
}

static void function(const char *name)
{
	uint32_t line = 0x5a, bar = 0x40000000;
	struct dev d;

	pci_open(&d, name);
	cfg_write(&d, PCI_INTERRUPT_LINE, 1, line);
	cfg_write(&d, PCI_BASE_ADDRESS_0, 4, bar);
	bar = cfg_read(&d, PCI_BASE_ADDRESS_0, 4);
	ok(nvme_start(&d), "%s: runs", name);
	is(pci_reset(&d), 0, "%s: RESET", name);
	ok(nvme_stopped(&d), "%s: runs no more", name);
	is(cfg_read(&d, PCI_COMMAND, 2) & (MEMORY | MASTER), MEMORY | MASTER,
	   "%s: its command is as before", name);
	is(hw_read(name, PCI_COMMAND, 2) & (MEMORY | MASTER), MEMORY | MASTER,
	   "%s: the device's too", name);
	is(cfg_read(&d, PCI_INTERRUPT_LINE, 1), line, "%s: its interrupt line is as before", name);
	is(cfg_read(&d, PCI_BASE_ADDRESS_0, 4), bar, "%s: its BAR is as before", name);
	is(hw_read(name, PCI_BASE_ADDRESS_0, 4) & ~15u,
	   hw_bar(name, 0, &(uint64_t){ 0 }) & ~0u, "%s: the device's is where it was", name);
	ok(nvme_start(&d), "%s: it can be started again", name);

	cfg_write(&d, cfg_cap(&d, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL, 2,
		  cfg_read(&d, cfg_cap(&d, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL, 2) |
		  PCI_EXP_DEVCTL_BCR_FLR);
	ok(nvme_stopped(&d), "%s: a function-level reset by its configuration space stops it",
	   name);
	is(cfg_read(&d, cfg_cap(&d, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL, 2) &
	   PCI_EXP_DEVCTL_BCR_FLR, 0, "%s: whose bit reads zero", name);
	is(hw_read(name, PCI_COMMAND, 2) & (MEMORY | MASTER), MEMORY | MASTER,
	   "%s: its command is as before", name);
	ok(nvme_start(&d), "%s: and it can be started again", name);

	dev_close(&d);
	pci_open(&d, name);
	ok(nvme_stopped(&d), "%s: closed while it ran, opened: it has been reset", name);
	dev_close(&d);
}

/* An interrupt that was set up still works after a reset. */
static void interrupts(void)
{
	int efd = efd_new(0);
	struct dev d;

	pci_open(&d, PCI_NVME);
	is(irq_vectors(d.fd, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1, &efd), 0, "a vector of MSI-X");
	is(pci_reset(&d), 0, "RESET");
	ok(hw_read(PCI_NVME, cfg_cap(&d, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2) &
	   PCI_MSIX_FLAGS_ENABLE, "MSI-X is still enabled");
	ok(dev_read(&d, 0x2000), "and the table has its message");
	is(irq_disable(d.fd, VFIO_PCI_MSIX_IRQ_INDEX), 0, "MSI-X off");
	dev_close(&d);
	close(efd);
}

static void *reset(void *d)
{
	is(pci_reset(d), 0, "RESET");
	return NULL;
}

/* A reset restores the command register, which holds INTx's mask, but not what that was before. */
static void unmasked_meanwhile(void)
{
	int efd = efd_new(0), unmask = efd_new(0);
	pthread_t thread;
	struct dev d;

	if (tap_kernel) {
		tap_skip("the kernel's VFIO: INTx is masked by the end of a reset");
		return;
	}
	pci_open(&d, PCI_NVME);
	is(irq_trigger(d.fd, VFIO_PCI_INTX_IRQ_INDEX, efd), 0, "INTx");
	is(irq_set(d.fd, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_EVENTFD |
		   VFIO_IRQ_SET_ACTION_UNMASK, unmask), 0, "unmasked by an eventfd");
	is(irq_mask(d.fd, VFIO_PCI_INTX_IRQ_INDEX), 0, "masked");
	pthread_create(&thread, NULL, reset, &d);
	sleep_ms(30);		/* of the 100 that it takes */
	efd_signal(unmask);
	pthread_join(thread, NULL);
	ok(!(hw_read(PCI_NVME, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE),
	   "unmasked while it is reset, it stays so");
	dev_close(&d);
	close(efd);
	close(unmask);
}

static void no_reset(const char *name)
{
	struct dev d;

	pci_open(&d, name);
	is(pci_reset(&d), -EINVAL, "%s has no way to be reset: EINVAL", name);
	edu_quiet(&d);
	dev_write(&d, EDU_REG_LIVE, 0x12345678);
	is(dev_read(&d, EDU_REG_LIVE), ~0x12345678u, "%s: it still works", name);
	dev_close(&d);
}

/* ---- the bus below a bridge ---- */

struct affected {
	struct vfio_pci_hot_reset_info info;
	struct vfio_pci_dependent_device devices[8];
};

static int affected(const struct dev *d, uint32_t room, struct affected *in)
{
	memset(in, 0, sizeof(*in));
	in->info.argsz = (uint32_t)(sizeof(in->info) + room * sizeof(in->devices[0]));
	return xioctl(d->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, in);
}

static int hot_reset(const struct dev *d, uint32_t count, int32_t group)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t groups[2];
	} in = {
		.reset = { .argsz = (uint32_t)(sizeof(in.reset) + count * sizeof(group)),
			   .count = count },
		.groups = { group, group },
	};

	return xioctl(d->fd, VFIO_DEVICE_PCI_HOT_RESET, &in);
}

static void bus(const char *name)
{
	unsigned int busnr, slot, fn;
	struct affected in;
	struct dev d, other;

	pci_open(&d, name);
	dev_open(&other, PCI_NVME);
	if (sscanf(name, "%*x:%x:%x.%x", &busnr, &slot, &fn) != 3)
		tap_bail("%s is no address", name);
	is(affected(&d, 0, &in), -ENOSPC, "%s: HOT_RESET_INFO, no room: ENOSPC", name);
	is(in.info.count, 1, "%s: it says for how many", name);
	is(affected(&d, 8, &in), 0, "%s: HOT_RESET_INFO", name);
	is(in.info.count, 1, "%s: one device is affected", name);
	is(in.devices[0].group_id, board_group(name), "%s: its group", name);
	is(in.devices[0].segment, 0, "%s: its segment", name);
	is(in.devices[0].bus, busnr, "%s: its bus", name);
	is(in.devices[0].devfn, slot << 3 | fn, "%s: its slot and function", name);
	in.info.argsz = sizeof(in.info) - 1;
	is(xioctl(d.fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &in), -EINVAL,
	   "%s: argsz too small: EINVAL", name);

	is(hot_reset(&d, 0, d.group), -EINVAL, "%s: HOT_RESET without a group: EINVAL", name);
	is(hot_reset(&d, 1, other.group), -EINVAL, "%s: with another's group: EINVAL", name);
	is(hot_reset(&d, 1, 12345), -EBADF, "%s: with no file: EBADF", name);
	is(hot_reset(&d, 1, d.container), -EINVAL, "%s: with a file that is no group: EINVAL",
	   name);
	is(hot_reset(&d, 2, d.group), -EINVAL, "%s: with more groups than devices: EINVAL", name);
	is(hot_reset(&d, 1, d.group), 0, "%s: HOT_RESET with its group", name);
	is(cfg_read(&d, PCI_COMMAND, 2) & (MEMORY | MASTER), MEMORY | MASTER,
	   "%s: its command is as before", name);
	is(hw_read(name, PCI_BASE_ADDRESS_0, 4) & ~15u,
	   hw_bar(name, 0, &(uint64_t){ 0 }) & ~0u, "%s: its BAR is where it was", name);
	ok(!read_faults(d.regs), "%s: its mapping reads", name);
	dev_close(&other);
	dev_close(&d);
}

/* It is more than the function itself that is reset: a register of the device tells. */
static void bus_resets(void)
{
	struct dev d;

	pci_open(&d, PCI_FAR);
	dev_write(&d, NIC_RDLEN, NIC_RING);
	is(dev_read(&d, NIC_RDLEN), NIC_RING, "a register is written");
	is(hot_reset(&d, 1, d.group), 0, "HOT_RESET");
	is(dev_read(&d, NIC_RDLEN), 0, "it has been cleared");
	dev_close(&d);
	pci_open(&d, PCI_BRIDGED);
	edu_quiet(&d);
	dev_write(&d, EDU_REG_STATUS, EDU_STATUS_IRQ);
	is(pci_reset(&d), 0, "RESET of a device that only its bus can reset");
	edu_quiet(&d);
	dev_close(&d);
}

static void no_bus(void)
{
	struct affected in;
	struct dev d;

	dev_open(&d, PCI_NVME);
	is(affected(&d, 8, &in), -ENODEV, "HOT_RESET_INFO on the root bus: ENODEV");
	is(hot_reset(&d, 1, d.group), -ENODEV, "HOT_RESET: ENODEV");
	dev_close(&d);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	function(PCI_NVME);
	function(PCI_SRIOV);
	interrupts();
	unmasked_meanwhile();
	no_reset(PCI_EDU);
	no_reset(PCI_TWIN0);
	bus(PCI_FAR);
	bus(PCI_BRIDGED);
	bus_resets();
	no_bus();
	return tap_done();
}
