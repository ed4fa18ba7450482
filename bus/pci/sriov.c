// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV: physical functions (PFs) that are bound to vfio-pci, their virtual ones (VFs), and the
 * token between them.
 *
 * Who drives a PF can look into its VFs and stop them, so users of both show that they know of each
 * other. A PF has a token, random at first, which its user sets; who opens a VF of it, or the PF
 * while a VF is open, has to name it. It outlives the PF's user and dies with the PF's binding.
 *
 * VFs exist from the administrator's writing sriov_numvfs to his writing 0 there, or to the PF's
 * being unbound: a VF that vfio-pci has never outlives the struct pci_vdev of its PF. They begin
 * with vfio-pci as their driver_override, so that no host driver trusts what a user programs.
 *
 * tokens_lock protects pci_vdev::token and pci_vdev::users. It is taken inside evfio_group::lock or
 * evfio_device::lock; nothing is taken inside it. The PF's device lock is held while VFs come and
 * go, so whoever holds a lock of the core only tries for that.
 */
#include <linux/pm_runtime.h>

#include "pci.h"

static bool enable_sriov;
module_param(enable_sriov, bool, 0644);
MODULE_PARM_DESC(enable_sriov, "let sriov_numvfs of functions that are bound be written");

static DEFINE_MUTEX(tokens_lock);	/* pci_vdev::token, users */

/* In the same time, whatever they are. */
static bool tokens_differ(const uuid_t *a, const uuid_t *b)
{
	u64 x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) != 0;
}

/*
 * A PF that has VFs stays awake, for they need it: neither runtime PM nor its user changes that.
 * Nor does who closes it, while they are coming, put back its registers, which are theirs as well.
 */
static void set_vfs(struct pci_vdev *pv, enum pci_vfs vfs)
{
	down_write(&pv->vdev.lock);
	pv->vfs = vfs;
	pci_power(pv, PCI_D0);
	if (vfs != VFS_COMING && pv->unclean) {
		pci_restore_state(pv->pdev);
		pv->unclean = false;
	}
	evfio_device_unlock(&pv->vdev);
}

static void vfs_gone(struct pci_vdev *pv)
{
	set_vfs(pv, VFS_NONE);
	pm_runtime_put(&pv->pdev->dev);
}

/**
 * pci_sriov_configure() - pci_driver::sriov_configure: sriov_numvfs has been written
 * @pdev: the PF, its device lock held
 * @n: VFs wanted, of which there are none; or 0
 *
 * Taking VFs away takes up to removal_grace_ms.
 *
 * Return: how many there are now; -ENOENT without enable_sriov; another errno.
 */
int pci_sriov_configure(struct pci_dev *pdev, int n)
{
	struct pci_vdev *pv = pci_get_drvdata(pdev);
	int ret;

	if (!enable_sriov)
		return -ENOENT;
	if (!n) {
		pci_sriov_end(pv);
		return 0;
	}
	pm_runtime_get_sync(&pdev->dev);
	set_vfs(pv, VFS_COMING);
	ret = pci_enable_sriov(pdev, n);
	if (ret)
		vfs_gone(pv);
	else
		set_vfs(pv, VFS_THERE);
	return ret ?: n;
}

static bool is_ours(struct pci_dev *pdev)
{
	return READ_ONCE(pdev->dev.driver) == &pci_driver.driver;
}

/* The users of all VFs are told at once, and have one removal_grace_ms together. */
static void announce(struct pci_dev *pf)
{
	struct pci_dev *vf = NULL;
	struct pci_vdev *pv;

	for_each_pci_dev(vf) {
		if (!vf->is_virtfn || vf->physfn != pf)
			continue;
		device_lock(&vf->dev);
		pv = is_ours(vf) ? pci_get_drvdata(vf) : NULL;
		if (pv)
			evfio_device_announce(&pv->vdev);
		device_unlock(&vf->dev);
	}
}

/**
 * pci_sriov_end() - take a PF's VFs away, if it has any
 * @pv: the PF, its device lock held
 */
void pci_sriov_end(struct pci_vdev *pv)
{
	if (!pci_num_vf(pv->pdev))
		return;
	announce(pv->pdev);
	pci_disable_sriov(pv->pdev);
	vfs_gone(pv);
}

/**
 * pci_sriov_begin() - a function is being bound
 * @pv: it, not registered yet
 */
void pci_sriov_begin(struct pci_vdev *pv)
{
	struct pci_dev *pdev = pv->pdev;

	if (pdev->is_physfn) {
		uuid_gen(&pv->token);
		pv->pf = pv;
	} else if (pdev->is_virtfn && is_ours(pdev->physfn)) {
		pv->pf = pci_get_drvdata(pdev->physfn);
	}
}

/**
 * pci_sriov_admit() - VFIO_GROUP_GET_DEVICE_FD: whether these options open the device
 * @pv: the device, its group's lock held
 * @option: what is behind its name: nothing, or "vf_token=UUID" among spaces
 *
 * With a token that opens a PF of which no VF is open, the PF has it from now on.
 *
 * Return: 1; -EACCES without the token, or with another, where one is due; -EINVAL for a token of a
 * device that has none, for anything else.
 */
int pci_sriov_admit(struct pci_vdev *pv, const char *option)
{
	struct pci_vdev *pf = pv->pf;
	bool given = false;
	uuid_t token;
	int ret = 1;

	for (option += strspn(option, " "); *option; option += strspn(option, " ")) {
		if (given || !strstarts(option, "vf_token=") ||
		    uuid_parse(option + strlen("vf_token="), &token))
			return -EINVAL;
		given = true;
		option += strlen("vf_token=") + UUID_STRING_LEN;
	}
	if (!pf)
		return given ? -EINVAL : 1;
	mutex_lock(&tokens_lock);
	if ((pv != pf || pf->users) && (!given || tokens_differ(&token, &pf->token)))
		ret = -EACCES;
	else if (given)
		pv->token = token;
	mutex_unlock(&tokens_lock);
	return ret;
}

/**
 * pci_sriov_open() - a function is being opened, perhaps by its first user since pci_sriov_admit()
 * @pv: it, its group's lock held since then
 *
 * Return: 0; -EACCES if it is a VF, and the PF has been given another token in between.
 */
int pci_sriov_open(struct pci_vdev *pv)
{
	struct pci_vdev *pf = pv->pf;
	int ret;

	if (!pf || pf == pv)
		return 0;
	mutex_lock(&tokens_lock);
	ret = tokens_differ(&pv->token, &pf->token) ? -EACCES : 0;
	pf->users += !ret;
	mutex_unlock(&tokens_lock);
	return ret;
}

/**
 * pci_sriov_close() - the counterpart of pci_sriov_open()
 * @pv: the function
 */
void pci_sriov_close(struct pci_vdev *pv)
{
	if (!pv->pf || pv->pf == pv)
		return;
	mutex_lock(&tokens_lock);
	pv->pf->users--;
	mutex_unlock(&tokens_lock);
}

/**
 * pci_sriov_is_pf() - evfio_feature::has: whether the device has a token of its own
 * @vdev: the device
 */
bool pci_sriov_is_pf(struct evfio_device *vdev)
{
	return to_pci(vdev)->pdev->is_physfn;
}

/**
 * pci_sriov_token() - VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, which can only be set
 * @vdev: the PF
 * @way: VFIO_DEVICE_FEATURE_SET
 * @data: the UUID. VFs that are open stay so
 */
int pci_sriov_token(struct evfio_device *vdev, u32 way, void *data)
{
	mutex_lock(&tokens_lock);
	memcpy(&to_pci(vdev)->token, data, sizeof(uuid_t));
	mutex_unlock(&tokens_lock);
	return 0;
}

/* A VF appears, and nobody has probed it yet. */
static int on_bus(struct notifier_block *nb, unsigned long event, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	if (event == BUS_NOTIFY_ADD_DEVICE && pdev->is_virtfn && is_ours(pdev->physfn) &&
	    pci_vdev_override(pdev, pci_driver.name))
		pci_err(pdev, "cannot be kept from host drivers\n");
	return NOTIFY_OK;
}

static struct notifier_block bus_notifier = {
	.notifier_call	= on_bus,
};

/** pci_sriov_init() - before any function is bound */
void __init pci_sriov_init(void)
{
	bus_register_notifier(&pci_bus_type, &bus_notifier);
}

/** pci_sriov_exit() - after the last has been unbound */
void pci_sriov_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &bus_notifier);
}
