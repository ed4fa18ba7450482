// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_unsafe - an interrupt controller that does not ask whose message it is: no DMA for clients,
 * who could send others' interrupts, unless the administrator takes that upon himself
 */
/* vm: board=pci gic=2 */
#include <errno.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define PARAMETER	"/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"

int main(int argc, char **argv)
{
	int container, efd;
	struct dev d;

	tap_start(argc, argv);
	container = container_open();
	efd = efd_new(0);
	board_take(PCI_EDU);
	d.group = group_open(PCI_EDU);
	is(group_set(d.group, container), 0, "messages of all devices are alike: SET_CONTAINER");
	is(container_set_iommu(container, VFIO_TYPE1v2_IOMMU), -EPERM, "SET_IOMMU: EPERM");
	is(device_fd(d.group, PCI_EDU), -EINVAL, "and so there is no device");
	close(d.group);
	close(container);

	is(file_write(PARAMETER, "1"), 0, "allow_unsafe_interrupts");
	pci_open(&d, PCI_EDU);
	is(irq_trigger(d.fd, VFIO_PCI_MSI_IRQ_INDEX, efd), 0, "now there is, with MSI");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "which arrives");
	edu_ack(&d);
	dev_close(&d);
	file_write(PARAMETER, "0");
	close(efd);
	return tap_done();
}
