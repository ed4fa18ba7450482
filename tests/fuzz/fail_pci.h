/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls on PCI functions whose allocations fuzz fail-nth lets fail; part of fuzz.c.
 *
 * Not among them: MSI and MSI-X. When memory fails while the kernel makes vectors, it warns of what
 * it has not put into /proc/irq, and the driver of the ITS loses the device's events. Nor most of
 * what makes virtual functions, for the kernel warns of a device that it cannot add.
 */
#ifndef FAIL_PCI_H
#define FAIL_PCI_H

#include "libpci.h"

static long pci_have_bound(void)
{
	board_take(PCI_EDU);
	return 0;
}

static long pci_unbind(void)
{
	return board_unbind(PCI_EDU);
}

static long pci_have_none(void)
{
	return have_unbound(PCI_EDU, "vfio-pci");
}

static long pci_bind(void)
{
	return probe("/sys/bus/pci/drivers_probe", PCI_EDU);
}

static long load_pci(void)
{
	return load("vfio_pci", "/lib/modules/vfio-pci.ko");
}

/* Loading it binds the functions that are meant for it: one is enough. */
static long have_no_pci(void)
{
	static const char *const others[] = {
		PCI_NVME, PCI_NIC, PCI_FAR, PCI_BRIDGED, PCI_TWIN0, PCI_TWIN1, PCI_SRIOV,
		PCI_ROCKER, PCI_MEMORY,
	};

	unload("vfio_pci");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ok_or_bail(file_write(board_path(others[i], "driver_override"), "\n"), others[i]);
	injection_in_init();
	return ok_or_bail(load_core(), "vfio");
}

static long pci_have_iommu(void)
{
	board_take(PCI_EDU);
	ok_or_bail(open_container(), "container");
	group = (int)ok_or_bail(group_open(PCI_EDU), "group");
	return ok_or_bail(join(), "SET_CONTAINER") | ok_or_bail(set_v2(), "SET_IOMMU");
}

static long pci_get_fd(void)
{
	dev.fd = device_fd(group, PCI_EDU);
	return dev.fd;
}

static long have_edu(void)
{
	pci_open(&dev, PCI_EDU);
	return 0;
}

static long have_nvme(void)
{
	pci_open(&dev, PCI_NVME);
	return 0;
}

/* On a bus of its own. */
static long have_far(void)
{
	pci_open(&dev, PCI_FAR);
	return 0;
}

/* Without asking where the region begins, which would be a call of its own. */
static off_t at(uint32_t region, off_t offset)
{
	return (off_t)region << 40 | offset;
}

/* Of a region with a capability. */
static long region_with_cap(void)
{
	const struct vfio_region_info *in;

	return region_info(&dev, VFIO_PCI_BAR0_REGION_INDEX, &in);
}

static long read_config(void)
{
	return sys(pread(dev.fd, text, 4096, at(VFIO_PCI_CONFIG_REGION_INDEX, 0)));
}

static long write_config(void)
{
	const uint32_t ones = 0xffffffff;

	return sys(pwrite(dev.fd, &ones, sizeof(ones),
			  at(VFIO_PCI_CONFIG_REGION_INDEX, PCI_BASE_ADDRESS_0)));
}

static long read_bar(void)
{
	return sys(pread(dev.fd, text, 64, at(VFIO_PCI_BAR0_REGION_INDEX, 0)));
}

static long read_rom(void)
{
	return sys(pread(dev.fd, text, 64, at(VFIO_PCI_ROM_REGION_INDEX, 0)));
}

static long have_nic(void)
{
	pci_open(&dev, PCI_NIC);
	return 0;
}

static long intx(void)
{
	return irq_trigger(dev.fd, VFIO_PCI_INTX_IRQ_INDEX, efd[0]);
}

static long have_intx(void)
{
	have_edu();
	return ok_or_bail(intx(), "INTx");
}

static long intx_unmask_by_eventfd(void)
{
	return irq_set(dev.fd, VFIO_PCI_INTX_IRQ_INDEX,
		       VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, efd[2]);
}

static long error_event(void)
{
	return irq_trigger(dev.fd, VFIO_PCI_ERR_IRQ_INDEX, efd[0]);
}

static long request_event(void)
{
	return irq_trigger(dev.fd, VFIO_PCI_REQ_IRQ_INDEX, efd[0]);
}

static long hot_reset_info(void)
{
	struct vfio_pci_hot_reset_info *in = (void *)text;

	memset(in, 0, sizeof(*in));
	in->argsz = sizeof(text);
	return xioctl(dev.fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, in);
}

static long hot_reset(void)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group;
	} in = { { .argsz = sizeof(in), .count = 1 }, dev.group };

	return xioctl(dev.fd, VFIO_DEVICE_PCI_HOT_RESET, &in);
}

static long have_pf(void)
{
	static bool once;

	if (!once)
		sriov_enable(PCI_SRIOV);
	once = true;
	return 0;
}

/* They are refused. */
static long have_no_function(void)
{
	injection_only("pci_alloc_dev");
	return have_pf();
}

/* They are not kept from host drivers. */
static long have_no_override(void)
{
	injection_only("__device_set_driver_override");
	return have_pf();
}

static long make_vfs(void)
{
	return sriov_set(PCI_SRIOV, 2);
}

static long drop_vfs(void)
{
	const long end = now_ms() + SOON;

	ok_or_bail(sriov_set(PCI_SRIOV, 0), "sriov_numvfs");
	while (strcmp(file_read(board_path(PCI_SRIOV, "power/runtime_status")), "suspended")) {
		if (now_ms() > end)
			tap_bail("without virtual functions %s stays awake", PCI_SRIOV);
		sleep_ms(1);
	}
	return 0;
}

static const struct step pci_steps[] = {
	{ "GET_DEVICE_FD", pci_have_iommu, pci_get_fd, drop_fd, false },
	{ "GET_INFO", have_nvme, device_info, drop_open, false },
	{ "GET_REGION_INFO", have_nvme, region_with_cap, drop_open, false },
	{ "GET_IRQ_INFO", have_nvme, interrupt_info, drop_open, false },
	{ "pread configuration space", have_nvme, read_config, drop_open, false },
	{ "pwrite a base address", have_nvme, write_config, drop_open, false },
	{ "pread a BAR", have_edu, read_bar, drop_open, false },
	{ "pread the ROM", have_nic, read_rom, drop_open, false },
	{ "mmap", have_edu, map_registers, drop_registers, false },
	{ "SET_IRQS INTx", have_edu, intx, drop_open, false },
	{ "SET_IRQS unmask by eventfd", have_intx, intx_unmask_by_eventfd, drop_open, false },
	{ "SET_IRQS error", have_nvme, error_event, drop_open, false },
	{ "SET_IRQS request", have_nvme, request_event, drop_open, false },
	{ "RESET", have_nvme, reset, drop_open, false },
	{ "GET_PCI_HOT_RESET_INFO", have_far, hot_reset_info, drop_open, false },
	{ "PCI_HOT_RESET", have_far, hot_reset, drop_open, false },
	{ "FEATURE", have_nvme, feature, drop_open, false },
	{ "close with INTx", have_intx, drop_open, nothing, true },
	{ "bind", pci_have_none, pci_bind, nothing, false },
	{ "unbind", pci_have_bound, pci_unbind, pci_have_bound, true },
	/* The last ones: after them nothing else fails. */
	{ "make virtual functions", have_no_function, make_vfs, drop_vfs, false },
	{ "override their driver", have_no_override, make_vfs, drop_vfs, false },
	{ "load vfio-pci", have_no_pci, load_pci, nothing, false },
};

#endif
