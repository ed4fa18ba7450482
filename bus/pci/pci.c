// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-pci: PCI functions.
 *
 * A struct pci_vdev lives from probe to remove, or to the last fd if that comes later; what is made
 * at open (view of the configuration space, saved registers, I/O ports) goes at close. The core
 * calls open, close, reset and access one at a time; resets of several functions are reset.c's.
 *
 * A function that is open has its memory and I/O where the kernel put them, decodes them as its
 * user says, and is a bus master if the user says so: the IOMMU sees to the rest. One that is not
 * open is no bus master, raises no INTx, and sleeps. So does one that is open if its user lets it
 * (VFIO_DEVICE_FEATURE_LOW_POWER_*), until a call wakes it.
 */
#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/of_device.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "pci.h"

static char *ids = "";
module_param(ids, charp, 0444);
MODULE_PARM_DESC(ids, "PCI IDs to bind: VENDOR:DEVICE[:SUBVENDOR[:SUBDEVICE[:CLASS[:MASK]]]],...");

static bool nointxmask;
module_param(nointxmask, bool, 0644);
MODULE_PARM_DESC(nointxmask, "never mask INTx in the device: its line is not shared");

static bool disable_idle_d3;
module_param(disable_idle_d3, bool, 0444);
MODULE_PARM_DESC(disable_idle_d3, "leave devices in D0 until their users let them sleep");

static bool multifunction_groups;
module_param(multifunction_groups, bool, 0444);
MODULE_PARM_DESC(multifunction_groups,
		 "own the functions of a slot together, though the IOMMU may tell them apart");

/**
 * pci_memory() - nobody reads the device's memory any more, or anybody may
 * @pv: the device, open, its lock held for writing
 * @on: which. Called before the device ceases to answer, and after it answers again
 */
void pci_memory(struct pci_vdev *pv, bool on)
{
	u32 i;

	lockdep_assert_held_write(&pv->vdev.lock);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		pv->vdev.regions[i].off = !on;
	if (!on)
		evfio_regions_zap(&pv->vdev);
}

/**
 * pci_intx_sleep() - INTx is masked while the device does not answer, and is as it should be again
 * @pv: the device, its lock held for writing
 * @asleep: which. What restores the command register in between does not undo what comes meanwhile
 */
void pci_intx_sleep(struct pci_vdev *pv, bool asleep)
{
	struct evfio_irq *intx = &pv->vdev.irqs[VFIO_PCI_INTX_IRQ_INDEX];

	if (intx->count)
		evfio_line_sleep(intx->lines, asleep);
}

/**
 * pci_power() - set the power state that the user wants
 * @pv: the device, open, its lock held for writing
 * @state: PCI_D0 to PCI_D3hot
 */
void pci_power(struct pci_vdev *pv, pci_power_t state)
{
	struct pci_dev *pdev = pv->pdev;
	const bool slept = pci_sleeps(pdev);

	if (pv->config && state == PCI_D3hot)
		pci_memory(pv, false);
	if (state == PCI_D3hot)
		pci_intx_sleep(pv, true);
	if (pv->soft_reset && !slept && state == PCI_D3hot)
		pci_save_state(pdev);
	pci_set_power_state(pdev, state);
	if (pv->soft_reset && !slept && pci_sleeps(pdev)) {
		kfree(pv->powered_down);
		pv->powered_down = pci_store_saved_state(pdev);
	} else if (slept && state == PCI_D0 && pv->powered_down) {
		pci_load_and_free_saved_state(pdev, &pv->powered_down);
		pci_restore_state(pdev);
		if (pv->config)
			pci_config_restored(pv);
	}
	pci_intx_sleep(pv, pci_sleeps(pdev));
	if (pv->config)
		pci_memory(pv, pci_config_memory(pv));
}

static int low_power_begin(struct evfio_device *vdev, struct eventfd_ctx *wakeup)
{
	lockdep_assert_held_write(&vdev->lock);
	if (vdev->resting)
		return -EINVAL;
	evfio_regions_zap(vdev);
	vdev->resting = true;
	to_pci(vdev)->wakeup = wakeup;
	/* It sleeps when this call has ended. */
	pm_runtime_put_noidle(vdev->dev);
	return 0;
}

static void low_power_end(struct pci_vdev *pv)
{
	lockdep_assert_held_write(&pv->vdev.lock);
	if (!pv->vdev.resting)
		return;
	pm_runtime_get_noresume(pv->vdev.dev);
	pv->vdev.resting = false;
	if (pv->wakeup)
		eventfd_ctx_put(pv->wakeup);
	pv->wakeup = NULL;
}

static int low_power_entry(struct evfio_device *vdev, u32 way, void *data)
{
	return low_power_begin(vdev, NULL);
}

static int low_power_entry_with_wakeup(struct evfio_device *vdev, u32 way, void *data)
{
	struct vfio_device_low_power_entry_with_wakeup *entry = data;
	struct eventfd_ctx *wakeup;
	int ret;

	if (entry->wakeup_eventfd < 0)
		return -EINVAL;
	wakeup = eventfd_ctx_fdget(entry->wakeup_eventfd);
	if (IS_ERR(wakeup))
		return PTR_ERR(wakeup);
	ret = low_power_begin(vdev, wakeup);
	if (ret)
		eventfd_ctx_put(wakeup);
	return ret;
}

static int low_power_exit(struct evfio_device *vdev, u32 way, void *data)
{
	low_power_end(to_pci(vdev));
	return 0;
}

static const struct evfio_feature pci_features[] = {
	{ VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, VFIO_DEVICE_FEATURE_SET, 0, low_power_entry },
	{ VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, VFIO_DEVICE_FEATURE_SET,
	  sizeof(struct vfio_device_low_power_entry_with_wakeup), low_power_entry_with_wakeup },
	{ VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, VFIO_DEVICE_FEATURE_SET, 0, low_power_exit },
#ifdef CONFIG_EVFIO_PCI_SRIOV
	{ VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, VFIO_DEVICE_FEATURE_SET, sizeof(uuid_t),
	  pci_sriov_token, pci_sriov_is_pf },
#endif
};

/* A device that is open ceases to answer, or does again. */
static void pci_doze(struct pci_vdev *pv, bool asleep)
{
	pv->asleep = asleep;
	pci_memory(pv, pci_config_memory(pv));
	pci_intx_sleep(pv, asleep);
}

/* The PCI core suspends it then, and saves its registers; it wants to find it in D0. */
static int pci_suspend(struct device *dev)
{
	struct pci_vdev *pv = dev_get_drvdata(dev);

	down_write(&pv->vdev.lock);
	if (pv->config) {
		pci_power(pv, PCI_D0);
		pci_doze(pv, true);
	}
	up_write(&pv->vdev.lock);
	return 0;
}

static int pci_resume(struct device *dev)
{
	struct pci_vdev *pv = dev_get_drvdata(dev);

	down_write(&pv->vdev.lock);
	if (pv->config)
		pci_doze(pv, false);
	if (pv->wakeup) {
		evfio_eventfd_signal(pv->wakeup);
		low_power_end(pv);
	}
	evfio_device_unlock(&pv->vdev);
	return 0;
}

/*
 * Nothing of what a user did to the device stays: it is reset, if its lock can be had, or is held
 * by who is unbinding it; and what was saved is put back. While VFs are coming that would take them
 * away: pci_sriov_configure() puts it back when they are there.
 */
static void clean(struct pci_vdev *pv)
{
	const bool unbinding = READ_ONCE(pv->unbinding);
	struct pci_dev *pdev = pv->pdev;

	pci_load_and_free_saved_state(pdev, &pv->saved);
	if (unbinding || device_trylock(&pdev->dev)) {
		if (pv->resettable && pci_cfg_access_trylock(pdev)) {
			__pci_reset_function_locked(pdev);
			pci_cfg_access_unlock(pdev);
		}
		pci_restore_state(pdev);
		if (!unbinding)
			device_unlock(&pdev->dev);
		return;
	}
	down_write(&pv->vdev.lock);
	pv->unclean = pv->vfs == VFS_COMING;
	if (!pv->unclean)
		pci_restore_state(pdev);
	up_write(&pv->vdev.lock);
}

static void unmap_ports(struct pci_vdev *pv)
{
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (pv->io[i]) {
			pci_iounmap(pv->pdev, pv->io[i]);
			pci_release_region(pv->pdev, i);
			pv->io[i] = NULL;
		}
}

static int map_ports(struct pci_vdev *pv)
{
	int i, ret;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (!(pci_resource_flags(pv->pdev, i) & IORESOURCE_IO) ||
		    !pci_resource_start(pv->pdev, i))
			continue;
		ret = pci_request_region(pv->pdev, i, dev_name(pv->vdev.dev));
		if (ret)
			goto unmap;
		pv->io[i] = pci_iomap(pv->pdev, i, 0);
		if (!pv->io[i]) {
			pci_release_region(pv->pdev, i);
			ret = -ENOMEM;
			goto unmap;
		}
	}
	return 0;

unmap:
	unmap_ports(pv);
	return ret;
}

/* A ROM is shown if it can be read. Looking leaves an address in its register. */
static void look_at_rom(struct pci_vdev *pv)
{
	struct evfio_region *region = &pv->vdev.regions[VFIO_PCI_ROM_REGION_INDEX];
	void __iomem *rom;
	size_t size;
	u32 address;

	region->size = 0;
	region->flags = 0;
	if (!pci_resource_len(pv->pdev, PCI_ROM_RESOURCE))
		return;
	pci_read_config_dword(pv->pdev, PCI_ROM_ADDRESS, &address);
	rom = pci_map_rom(pv->pdev, &size);
	if (rom)
		pci_unmap_rom(pv->pdev, rom);
	pci_write_config_dword(pv->pdev, PCI_ROM_ADDRESS, address);
	if (!rom)
		return;
	region->size = pci_resource_len(pv->pdev, PCI_ROM_RESOURCE);
	region->flags = VFIO_REGION_INFO_FLAG_READ;
}

/* A device that nobody has open may sleep. One that never may has its reference from binding on. */
static void idle_begin(struct device *dev)
{
	if (!disable_idle_d3)
		pm_runtime_put(dev);
}

static int pci_open(struct evfio_device *vdev)
{
	struct pci_vdev *pv = to_pci(vdev);
	struct pci_dev *pdev = pv->pdev;
	int ret;

	ret = READ_ONCE(pv->unclean) ? -EAGAIN : pci_sriov_open(pv);
	if (ret)
		return ret;
	ret = disable_idle_d3 ? 0 : pm_runtime_resume_and_get(vdev->dev);
	if (ret < 0)
		goto close;
	pci_clear_master(pdev);		/* is not to be part of what is saved */
	ret = pci_enable_device(pdev);
	if (ret)
		goto suspend;
	ret = pci_try_reset_function(pdev);
	if (ret == -EAGAIN)
		goto disable;
	pv->resettable = !ret;
	vdev->flags &= ~VFIO_DEVICE_FLAGS_RESET;
	if (pv->resettable)
		vdev->flags |= VFIO_DEVICE_FLAGS_RESET;
	pci_save_state(pdev);
	pv->saved = pci_store_saved_state(pdev);

	pv->masks_intx = !nointxmask && pci_intx_mask_supported(pdev);
	pci_intx(pdev, 1);
	ret = map_ports(pv);
	if (ret)
		goto free;
	look_at_rom(pv);
	pv->config = pci_config_new(pv);
	ret = -ENOMEM;
	if (!pv->config)
		goto unmap;
	pci_intx(pdev, 0);
	down_write(&vdev->lock);
	pci_memory(pv, pci_config_memory(pv));
	up_write(&vdev->lock);
	return 0;

unmap:
	unmap_ports(pv);
free:
	pci_intx(pdev, 0);
	kfree(pv->saved);
	pv->saved = NULL;
disable:
	pci_disable_device(pdev);
suspend:
	idle_begin(vdev->dev);
close:
	pci_sriov_close(pv);
	dev_err_ratelimited(vdev->dev, "cannot be enabled and reset: error %d\n", ret);
	return ret;
}

static bool pci_close(struct evfio_device *vdev)
{
	struct pci_vdev *pv = to_pci(vdev);
	struct pci_dev *pdev = pv->pdev;
	u16 command;

	down_write(&vdev->lock);
	low_power_end(pv);
	pci_doze(pv, false);
	pci_power(pv, PCI_D0);
	kfree(pv->config);
	pv->config = NULL;
	kfree(pv->powered_down);
	pv->powered_down = NULL;
	up_write(&vdev->lock);
	unmap_ports(pv);

	pci_clear_master(pdev);
	clean(pv);
	pci_intx(pdev, 0);
	pci_disable_device(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	idle_begin(vdev->dev);
	pci_sriov_close(pv);
	/* All ones: it is not there any more. */
	return !(command & PCI_COMMAND_MASTER) || command == U16_MAX;
}

/* Without memory there is no image either, says pci_map_rom(), which looks for its signature. */
static int rom_read(struct pci_vdev *pv, u64 off, void *buf, size_t count)
{
	struct pci_dev *pdev = pv->pdev;
	void __iomem *rom;
	size_t size;
	u16 command;

	if (!pci_config_memory(pv)) {
		pci_read_config_word(pdev, PCI_COMMAND, &command);
		return pci_sleeps(pdev) && command & PCI_COMMAND_MEMORY ? -EIO : -ENOMEM;
	}
	rom = pci_map_rom(pdev, &size);
	if (!rom)
		return -ENOMEM;
	/* The image may be shorter than the window. */
	memset(buf, 0xff, count);
	if (off < size)
		memcpy_fromio(buf, rom + off, min_t(size_t, count, size - off));
	pci_unmap_rom(pdev, rom);
	return 0;
}

static void port_access(void __iomem *io, void *buf, size_t count, bool write)
{
	size_t width;

	for (; count; io += width, buf += width, count -= width) {
		width = count >= 4 && IS_ALIGNED((uintptr_t)io, 4) ? 4 :
			count >= 2 && IS_ALIGNED((uintptr_t)io, 2) ? 2 : 1;
		if (write && width == 4)
			iowrite32(*(u32 *)buf, io);
		else if (write && width == 2)
			iowrite16(*(u16 *)buf, io);
		else if (write)
			iowrite8(*(u8 *)buf, io);
		else if (width == 4)
			*(u32 *)buf = ioread32(io);
		else if (width == 2)
			*(u16 *)buf = ioread16(io);
		else
			*(u8 *)buf = ioread8(io);
	}
}

static int pci_access(struct evfio_device *vdev, u32 index, u64 off, void *buf, size_t count,
		      bool write)
{
	struct pci_vdev *pv = to_pci(vdev);

	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return pci_config_access(pv, off, buf, count, write);
	if (index == VFIO_PCI_ROM_REGION_INDEX)
		return rom_read(pv, off, buf, count);
	if (pv->asleep)		/* an ioeventfd does not wake it */
		return -EIO;
	port_access(pv->io[index] + off, buf, count, write);
	return 0;
}

/* VFIO_GROUP_GET_DEVICE_FD: "0000:01:00.0", and behind a space options. */
static int pci_match(struct evfio_device *vdev, const char *name)
{
	const size_t length = strlen(dev_name(vdev->dev));

	if (strncmp(name, dev_name(vdev->dev), length) || (name[length] && name[length] != ' '))
		return 0;
	return pci_sriov_admit(to_pci(vdev), name + length);
}

/* The widths of atomic operations that the device may ask the root complex for: 4, 8, 16 bytes. */
static int pci_caps(struct evfio_device *vdev, struct evfio_caps *caps)
{
	struct pci_dev *pdev = pci_physfn(to_pci(vdev)->pdev);
	struct vfio_device_info_cap_pci_atomic_comp *cap;
	u32 i, offered, width, flags = 0;

	pcie_capability_read_dword(pdev, PCI_EXP_DEVCAP2, &offered);
	for (i = 0; i < 3; i++) {
		width = PCI_EXP_DEVCAP2_ATOMIC_COMP32 << i;
		if (offered & width && !pci_enable_atomic_ops_to_root(pdev, width))
			flags |= VFIO_PCI_ATOMIC_COMP32 << i;
	}
	if (!flags)
		return 0;
	cap = evfio_caps_add(caps, VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP, 1, sizeof(*cap));
	if (!cap)
		return -ENOMEM;
	cap->flags = flags;
	return 0;
}

static const struct evfio_ioctl pci_ioctls[] = {
	{ VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, sizeof(struct vfio_pci_hot_reset_info),
	  EVFIO_ARGSZ | EVFIO_OUT, pci_hot_reset_info },
	{ VFIO_DEVICE_PCI_HOT_RESET, sizeof(struct vfio_pci_hot_reset),
	  EVFIO_ARGSZ, pci_hot_reset },
	{ VFIO_DEVICE_IOEVENTFD, offsetofend(struct vfio_device_ioeventfd, fd),
	  EVFIO_ARGSZ, evfio_ioeventfd },
};

static const struct evfio_bus_ops pci_ops = {
	.owner		= THIS_MODULE,
	.open		= pci_open,
	.close		= pci_close,
	.reset		= pci_function_reset,
	.access		= pci_access,
	.match		= pci_match,
	.caps		= pci_caps,
	.irq_enable	= pci_irq_enable,
	.irq_line	= pci_irq_line,
	.irq_disable	= pci_irq_disable,
	.irq_begin	= pci_irq_begin,
	.irq_end	= pci_irq_end,
	.nothing	= true,
	.requested	= VFIO_PCI_REQ_IRQ_INDEX,
	.ioctls		= pci_ioctls,
	.num_ioctls	= ARRAY_SIZE(pci_ioctls),
	.sleeps		= true,
	.features	= pci_features,
	.num_features	= ARRAY_SIZE(pci_features),
};

/* A BAR that is smaller than a page can be mapped if nobody else is in its page. */
static bool page_is_its_own(struct pci_vdev *pv, int bar)
{
	const struct resource *res = &pv->pdev->resource[bar];
	struct resource *rest = &pv->pages[bar];

	if (resource_size(res) >= PAGE_SIZE)
		return true;
	/* One that has no place is told to who opens it. */
	if (!PAGE_ALIGNED(res->start) || !res->parent)
		return false;
	rest->name = "vfio sub-page reserved";
	rest->start = res->end + 1;
	rest->end = res->start + PAGE_SIZE - 1;
	rest->flags = res->flags;
	if (!request_resource(res->parent, rest))
		return true;
	rest->flags = 0;
	return false;
}

static void give_pages_back(struct pci_vdev *pv)
{
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (pv->pages[i].flags)
			release_resource(&pv->pages[i]);
}

static void describe_bar(struct pci_vdev *pv, int bar)
{
	struct evfio_region *region = &pv->vdev.regions[bar];
	struct pci_dev *pdev = pv->pdev;

	if (!pci_resource_start(pdev, bar))
		return;
	region->base = pci_resource_start(pdev, bar);
	region->size = pci_resource_len(pdev, bar);
	region->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	region->widest = 8;
	region->prefetch = pci_resource_flags(pdev, bar) & IORESOURCE_PREFETCH;
	if (pci_resource_flags(pdev, bar) & IORESOURCE_IO)
		region->soft = true;
	else if (page_is_its_own(pv, bar))
		region->flags |= VFIO_REGION_INFO_FLAG_MMAP;
}

/* The MSI-X table is the kernel's to write; what a mapping makes of it the IOMMU has to allow. */
static void describe_msix(struct pci_vdev *pv)
{
	struct pci_dev *pdev = pv->pdev;
	struct evfio_region *region;
	u32 table;
	u16 flags;

	if (!pdev->msix_cap)
		return;
	pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &flags);
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
	if ((table & PCI_MSIX_TABLE_BIR) >= PCI_STD_NUM_BARS)
		return;
	region = &pv->vdev.regions[table & PCI_MSIX_TABLE_BIR];
	region->hole = table & PCI_MSIX_TABLE_OFFSET;
	region->hole_size = ((flags & PCI_MSIX_FLAGS_QSIZE) + 1) * PCI_MSIX_ENTRY_SIZE;
	if (region->flags & VFIO_REGION_INFO_FLAG_MMAP)
		region->cap = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE;
}

static int pci_regions_describe(struct pci_vdev *pv)
{
	struct evfio_device *vdev = &pv->vdev;
	struct evfio_region *config;
	int i;

	vdev->regions = kcalloc(VFIO_PCI_NUM_REGIONS, sizeof(*vdev->regions), GFP_KERNEL);
	if (!vdev->regions)
		return -ENOMEM;
	vdev->num_regions = VFIO_PCI_NUM_REGIONS;
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		describe_bar(pv, i);
	describe_msix(pv);
	vdev->regions[VFIO_PCI_ROM_REGION_INDEX].soft = true;
	vdev->regions[VFIO_PCI_VGA_REGION_INDEX].hidden = true;
	config = &vdev->regions[VFIO_PCI_CONFIG_REGION_INDEX];
	config->size = pv->pdev->cfg_size;
	config->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	config->soft = true;
	config->exact = true;
	return 0;
}

static int pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct pci_vdev *pv;
	u16 pm;
	int ret;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return dev_err_probe(&pdev->dev, -EINVAL, "is a bridge, not a device\n");
	if (pci_num_vf(pdev))
		return dev_err_probe(&pdev->dev, -EBUSY,
				     "has VFs: let the driver that made them take them away\n");
	pv = evfio_alloc(struct pci_vdev, vdev, &pdev->dev, &pci_ops);
	if (!pv)
		return -ENOMEM;
	pv->pdev = pdev;
	pv->in_use = VFIO_PCI_NUM_IRQS;
	pv->vdev.flags = VFIO_DEVICE_FLAGS_PCI;
	if (pdev->pm_cap) {
		pci_read_config_word(pdev, pdev->pm_cap + PCI_PM_CTRL, &pm);
		pv->soft_reset = !(pm & PCI_PM_CTRL_NO_SOFT_RESET);
	}
	ret = pci_regions_describe(pv);
	if (!ret)
		ret = pci_irqs_describe(pv);
	if (ret)
		goto put;
	pci_sriov_begin(pv);
	pci_clear_master(pdev);		/* whoever had it before may not have cleared it */
	pci_intx(pdev, 0);
	pci_set_drvdata(pdev, pv);
	pm_runtime_allow(&pdev->dev);
	idle_begin(&pdev->dev);
	ret = evfio_device_register(&pv->vdev);
	if (ret)
		goto resume;
	pci_reset_join(pv);
	return 0;

resume:
	if (!disable_idle_d3)
		pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_forbid(&pdev->dev);
put:
	give_pages_back(pv);
	evfio_device_put(&pv->vdev);
	return ret;
}

static void pci_remove(struct pci_dev *pdev)
{
	struct pci_vdev *pv = pci_get_drvdata(pdev);

	pci_sriov_end(pv);
	pci_reset_leave(pv);
	WRITE_ONCE(pv->unbinding, true);
	evfio_device_unregister(&pv->vdev);
	give_pages_back(pv);
	if (!disable_idle_d3)
		pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_forbid(&pdev->dev);
	evfio_device_put(&pv->vdev);
}

static pci_ers_result_t pci_error(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct pci_vdev *pv = pci_get_drvdata(pdev);

	evfio_irq_signal(&pv->vdev, VFIO_PCI_ERR_IRQ_INDEX);
	return PCI_ERS_RESULT_CAN_RECOVER;
}

static const struct pci_error_handlers pci_errors = {
	.error_detected	= pci_error,
};

/* Binds by driver_override and by IDs given at run time. */
static const struct pci_device_id pci_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, pci_ids);

static const struct dev_pm_ops pci_pm_ops = {
	RUNTIME_PM_OPS(pci_suspend, pci_resume, NULL)
};

struct pci_driver pci_driver = {
	.name			= "vfio-pci",
	.id_table		= pci_ids,
	.probe			= pci_probe,
	.remove			= pci_remove,
	.sriov_configure	= pci_sriov_configure,
	.err_handler		= &pci_errors,
	.driver_managed_dma	= true,
	.driver.pm		= &pci_pm_ops,
};

/* The parameter "ids", which is used up. */
static void add_ids(char *list)
{
	unsigned int vendor, device, subvendor, subdevice, class, mask;
	char *id;
	int n;

	while ((id = strsep(&list, ","))) {
		if (!*id)
			continue;
		subvendor = PCI_ANY_ID;
		subdevice = PCI_ANY_ID;
		class = 0;
		mask = 0;
		n = sscanf(id, "%x:%x:%x:%x:%x:%x", &vendor, &device, &subvendor, &subdevice,
			   &class, &mask);
		if (n < 2) {
			pr_warn("vfio-pci: ids: \"%s\" is not VENDOR:DEVICE\n", id);
			continue;
		}
		n = pci_add_dynid(&pci_driver, vendor, device, subvendor, subdevice, class, mask,
				  0);
		if (n)
			pr_warn("vfio-pci: ids: \"%s\": error %d\n", id, n);
	}
}

/* Virtual functions are made to be owned one by one. */
static bool pci_mates(struct device *dev, struct device *other)
{
	const struct pci_dev *a = to_pci_dev(dev), *b = to_pci_dev(other);

	return multifunction_groups && !a->is_virtfn && !b->is_virtfn && a->bus == b->bus &&
	       PCI_SLOT(a->devfn) == PCI_SLOT(b->devfn);
}

/* Stream ids are the host bridge's to translate. */
static void pci_configure(struct device *dev)
{
	struct device *host = pci_find_host_bridge(to_pci_dev(dev)->bus)->dev.parent;

	if (host && host->of_node)
		of_dma_configure(dev, host->of_node, true);
}

static struct evfio_finder pci_finder = {
	.bus		= &pci_bus_type,
	.mates		= pci_mates,
	.configure	= pci_configure,
};

static int __init pci_init(void)
{
	int ret;

	evfio_finder_register(&pci_finder);
	pci_sriov_init();
	ret = pci_register_driver(&pci_driver);
	if (!ret) {
		add_ids(ids);
		return 0;
	}
	pci_sriov_exit();
	evfio_finder_unregister(&pci_finder);
	return ret;
}

static void __exit pci_exit(void)
{
	pci_unregister_driver(&pci_driver);
	pci_sriov_exit();
	evfio_finder_unregister(&pci_finder);
}

module_init(pci_init);
module_exit(pci_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the evfio authors");
MODULE_DESCRIPTION("evfio: PCI functions");
