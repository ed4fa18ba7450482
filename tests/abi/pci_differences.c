// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_differences - where evfio's vfio-pci is meant to differ from the kernel's
 *
 * As differences does, it has both answers: each row of docs/differences.md that names this program
 * is held here to what it says of either.
 */
/* vm: board=pci */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define INTX	VFIO_PCI_INTX_IRQ_INDEX

static bool disabled(const struct dev *d)
{
	return hw_read(d->name, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;
}

static void unheard(struct dev *d, int efd)
{
	is(disabled(d), !tap_kernel, "nobody listens: INTx is disabled in the device");
	is(irq_trigger(d->fd, INTX, efd), 0, "a trigger");
	ok(!disabled(d), "it is enabled");
	is(irq_trigger(d->fd, INTX, -1), 0, "the trigger is taken away");
	is(disabled(d), !tap_kernel, "disabled again");
	edu_raise(d, 1);
	sleep_ms(QUIET);
	is(irq_trigger(d->fd, INTX, efd), 0, "an interrupt meanwhile, then a trigger");
	is(efd_take(efd, tap_kernel ? QUIET : SOON), !tap_kernel, "hears it");
	edu_ack(d);
	irq_unmask(d->fd, INTX);
}

static void mask_by_eventfd(struct dev *d, int efd)
{
	const uint32_t mask = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK;
	int masks = efd_new(0);

	is(irq_set(d->fd, INTX, mask, masks), tap_kernel ? -ENOTTY : 0,
	   "an eventfd that masks INTx");
	efd_signal(masks);
	edu_raise(d, 1);
	is(efd_take(efd, tap_kernel ? SOON : QUIET), tap_kernel, "signalled, nothing comes");
	edu_ack(d);
	is(irq_disable(d->fd, INTX), 0, "INTx off");
	close(masks);
}

static void odd_address(int efd)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg), .flags = VFIO_DEVICE_IOEVENTFD_32, .offset = 2, .fd = efd,
	};
	struct dev d;

	dev_open(&d, PCI_NVME);
	is(xioctl(d.fd, VFIO_DEVICE_IOEVENTFD, &arg), tap_kernel ? 0 : -EINVAL,
	   "an ioeventfd for 4 bytes at an odd address");
	dev_close(&d);
}

/* The table of the 65 vectors that this one has is at 0x2000. */
static void hole_first(void)
{
	uint8_t *none = mem_new(64 * 1024);
	struct dev d;

	munmap(none, 64 * 1024);
	pci_open(&d, PCI_NVME);
	cfg_write(&d, PCI_COMMAND, 2, 0);
	is(bar_pread(&d, 0, 0x2408, none, 16), tap_kernel ? -EFAULT : -EIO,
	   "memory off: the end of the table and what follows, to no memory");
	dev_close(&d);
}

int main(int argc, char **argv)
{
	int efd;
	struct dev d;

	tap_start(argc, argv);
	efd = efd_new(0);
	pci_open(&d, PCI_EDU);
	unheard(&d, efd);
	mask_by_eventfd(&d, efd);
	dev_close(&d);
	odd_address(efd);
	hole_first();
	close(efd);
	return tap_done();
}
