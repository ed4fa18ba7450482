// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_params - what vfio-pci is told when it is loaded, and by its driver's files: ids, nointxmask,
 * new_id, remove_id
 *
 * vm: board=pci bind=no params="vfio-pci.ids=1234:11e8,x,1b36:10:1af4:1100:10802:ff,8086:10d3:1:1"
 * vm: board=pci params="vfio-pci.nointxmask=1"
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define DRIVER	"/sys/bus/pci/drivers/vfio-pci/"
#define ROCKER	"1b36 0006"
#define INTX	VFIO_PCI_INTX_IRQ_INDEX

static bool ours(const char *name)
{
	return !strcmp(board_driver(name), "vfio-pci");
}

static void by_ids(void)
{
	struct dev d;

	ok(ours(PCI_EDU) && ours(PCI_BRIDGED) && ours(PCI_TWIN0) && ours(PCI_TWIN1),
	   "ids: all of that vendor and device are bound");
	ok(ours(PCI_NVME) && ours(PCI_SRIOV), "and of that class");
	ok(!ours(PCI_NIC) && !ours(PCI_FAR), "but none of another subsystem");
	ok(!ours(PCI_ROCKER), "nor what is not named");
	dev_open(&d, PCI_EDU);
	is(dev_read(&d, EDU_REG_ID), EDU_ID, "one is opened");
	dev_close(&d);
}

static void by_new_id(void)
{
	struct dev d;

	is(file_write(DRIVER "new_id", "rubbish"), -EINVAL, "new_id: EINVAL for what is no ID");
	is(file_write(DRIVER "new_id", ROCKER), 0, "new_id");
	ok(ours(PCI_ROCKER), "what has it is bound at once");
	is(file_write(DRIVER "new_id", ROCKER), -EEXIST, "the same again: EEXIST");
	dev_open(&d, PCI_ROCKER);
	is(region_size(&d, VFIO_PCI_BAR0_REGION_INDEX), 0x2000, "it is opened");
	is(file_write(DRIVER "remove_id", ROCKER), 0, "remove_id");
	ok(ours(PCI_ROCKER), "what is bound stays so");
	dev_close(&d);
	board_unbind(PCI_ROCKER);
	is(file_write("/sys/bus/pci/drivers_probe", PCI_ROCKER), 0, "unbound, and looked at again");
	ok(!ours(PCI_ROCKER), "it is not bound any more");
	is(file_write(DRIVER "remove_id", ROCKER), -ENODEV, "remove_id again: ENODEV");
}

static bool disabled(const struct dev *d)
{
	return hw_read(d->name, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;
}

static void unmasked_in_the_device(void)
{
	int efd = efd_new(0), other = efd_new(0), good;
	struct dev d, mate;

	pci_open(&d, PCI_TWIN0);
	pci_open(&mate, PCI_BRIDGED);
	is(irq_trigger(d.fd, INTX, efd), 0, "nointxmask: a trigger");
	is(irq_trigger(mate.fd, INTX, other), -EBUSY, "no other on the same line: EBUSY");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "an interrupt");
	is(efd_take(efd, QUIET), 0, "the line stays up, and nothing more comes");
	ok(!disabled(&d), "though the device does not mask it");
	is(irq_unmask(d.fd, INTX), 0, "unmasked");
	is(efd_take(efd, SOON), 1, "it comes again");
	edu_ack(&d);
	is(irq_unmask(d.fd, INTX), 0, "acknowledged, unmasked");
	is(efd_take(efd, QUIET), 0, "nothing comes");
	cfg_command(&d, PCI_COMMAND_INTX_DISABLE, 0);
	cfg_command(&d, PCI_COMMAND_INTX_DISABLE, 0);
	edu_raise(&d, 1);
	is(efd_take(efd, QUIET), 0, "disabled by its client in the command register, twice");
	cfg_command(&d, 0, PCI_COMMAND_INTX_DISABLE);
	is(efd_take(efd, SOON), 1, "enabled, it comes");
	edu_ack(&d);
	for (good = 0; good < 100 && !irq_unmask(d.fd, INTX); good++) {
		edu_raise(&d, 1);
		if (efd_take(efd, SOON) != 1)
			break;
		edu_ack(&d);
	}
	is(good, 100, "100 interrupts, each unmasked: 100 arrive");
	is(irq_disable(d.fd, INTX), 0, "off");
	is(irq_trigger(mate.fd, INTX, other), 0, "the other may have the line");
	edu_raise(&mate, 1);
	is(efd_take(other, SOON), 1, "and its interrupt");
	edu_ack(&mate);
	dev_close(&mate);
	dev_close(&d);
	close(efd);
	close(other);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	if (*file_read("/sys/module/vfio_pci/parameters/nointxmask") == 'Y') {
		unmasked_in_the_device();
	} else {
		by_ids();
		by_new_id();
	}
	return tap_done();
}
