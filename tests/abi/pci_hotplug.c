// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_hotplug - a function is unplugged while it is in use: its user is told, then it is gone, and
 * whoever pulls it does not wait for the user; one plugged in at its place is another user's,
 * and when that reports an error (PCI Express Base Specification, 6.2), ERR says so
 */
/*
 * Where PCI_FAR shares its root port's group, the port's own interrupts are lost while the function
 * is in use: the group has one domain, its user's.
 * vm: board=pci alone=yes kernels="7.2 7.2-16k"
 */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define REQ		VFIO_PCI_REQ_IRQ_INDEX
#define ERR		VFIO_PCI_ERR_IRQ_INDEX
#define REPORTED	(PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE)
#define VIRTIO		0x1af4	/* the vendor */
#define GRACE		1000	/* ms */
#define BUTTON		15000	/* ms: 5 s after the button, and what a loaded machine adds */
#define AGAIN		2000	/* ms to the next try: none is plugged in before the slot is off */
#define E1000_STATUS	0x8

static bool plugged(void)
{
	return !access("/sys/bus/pci/devices/" PCI_FAR, F_OK);
}

static bool becomes(bool there, long ms)
{
	const long end = now_ms() + ms;

	while (plugged() != there && now_ms() < end)
		sleep_ms(20);
	return plugged() == there;
}

/* A function has its name before drivers may have it. */
static int taken(void)
{
	const long end = now_ms() + SOON;
	int ret;

	while ((ret = board_bind(PCI_FAR, "vfio-pci")) == -ENODEV && now_ms() < end)
		sleep_ms(20);
	return ret;
}

static short events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	poll(&p, 1, 0);
	return p.revents;
}

/* Errors of the function, as QEMU makes it report them. */
static void errors(struct dev *d)
{
	const uint32_t devctl = cfg_cap(d, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;
	int efd = efd_new(0), other = efd_new(0);

	/* The port above passes errors on, as firmware would have told it. */
	hw_write(PCI_PORT, PCI_COMMAND, 2, hw_read(PCI_PORT, PCI_COMMAND, 2) | PCI_COMMAND_SERR);
	hw_write(PCI_PORT, PCI_BRIDGE_CONTROL, 2,
		 hw_read(PCI_PORT, PCI_BRIDGE_CONTROL, 2) | PCI_BRIDGE_CTL_SERR);
	cfg_command(d, PCI_COMMAND_SERR, 0);
	cfg_write(d, devctl, 2, cfg_read(d, devctl, 2) | REPORTED);
	is(hw_read(d->name, devctl, 2) & REPORTED, REPORTED, "its user lets it report errors");
	is(irq_trigger(d->fd, ERR, efd), 0, "and wants to hear of them");
	board_monitor("pcie_aer_inject_error far BAD_TLP");
	is(efd_take(efd, 500), 0, "one that was corrected is not told");
	board_monitor("pcie_aer_inject_error far COMP_TIME");
	is(efd_take(efd, SOON), 1, "one that was not: ERR is signalled");
	is(efd_take(efd, QUIET), 0, "once");
	is(cfg_read(d, PCI_VENDOR_ID, 2), VIRTIO, "the function is still there");
	is(irq_trigger(d->fd, ERR, other), 0, "another eventfd");
	board_monitor("pcie_aer_inject_error far COMP_TIME");
	is(efd_take(other, SOON), 1, "hears of the next");
	is(efd_take(efd, 0), 0, "the first no more");
	is(irq_trigger(d->fd, ERR, -1), 0, "nobody");
	board_monitor("pcie_aer_inject_error far COMP_TIME");
	is(efd_take(other, 500), 0, "hears of the last");
}

int main(int argc, char **argv)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	long start, pinned = pages_pinned();
	uint32_t value, status;
	struct dev d;
	int efd = efd_new(0), tries = 0;
	void *mem;

	tap_start(argc, argv);
	if (tap_kernel || !file_count("/proc/kallsyms", " pciehp_probe")) {
		tap_skip(tap_kernel ? "the kernel lets whoever unplugs wait for ever" : "nothing to unplug with");
		return tap_done();
	}
	mem = mem_new(page);
	board_grace(GRACE);
	pci_open(&d, PCI_FAR);
	status = dev_read(&d, E1000_STATUS);
	is(irq_trigger(d.fd, REQ, efd), 0, "its user wants to be told");
	is(dma_map(d.container, mem, IOVA, page, RW), 0, "has memory mapped");
	board_monitor("device_del far");
	is(efd_take(efd, BUTTON), 1, "unplugged: REQ is signalled");
	start = now_ms();
	is(events(d.fd), POLLPRI, "and POLLPRI");
	is(dev_read(&d, E1000_STATUS), status, "meanwhile it answers");
	ok(becomes(false, BUTTON), "the function is gone");
	ok(now_ms() - start < GRACE + 5000, "after the grace time, with its user still there");
	is(events(d.fd), POLLPRI | POLLERR | POLLHUP, "which hears of that too");
	is(xioctl(d.fd, VFIO_DEVICE_GET_INFO, &info), -ENODEV, "GET_INFO: ENODEV");
	is(sys(pread(d.fd, &value, sizeof(value), 0)), -ENODEV, "registers: ENODEV");
	ok(read_faults(d.regs), "the mapped ones: SIGBUS");
	is(pci_reset(&d), -ENODEV, "RESET: ENODEV");
	is(pages_pinned(), pinned, "nothing stays pinned");

	do
		board_monitor("device_add virtio-rng-pci,id=far,bus=root-port,aer=on");
	while (!becomes(true, AGAIN) && ++tries < BUTTON / AGAIN);
	ok(plugged(), "one is plugged in");
	is(sys(pread(d.fd, &value, sizeof(value), 0)), -ENODEV, "it is not the old user's");
	dev_close(&d);
	is(taken(), 0, "vfio-pci has it");
	pci_open(&d, PCI_FAR);
	is(cfg_read(&d, PCI_VENDOR_ID, 2), VIRTIO, "but a new one's");
	errors(&d);
	dev_close(&d);
	return tap_done();
}
