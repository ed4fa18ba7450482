/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vfio-pci.ko see of each other.
 */
#ifndef EVFIO_BUS_PCI_H
#define EVFIO_BUS_PCI_H

#include <linux/pci.h>
#include <linux/uuid.h>

#include "../../core/evfio.h"

/* Whether a physical function has virtual ones. */
enum pci_vfs { VFS_NONE, VFS_COMING, VFS_THERE };

/**
 * struct pci_vdev - a PCI function that is bound to vfio-pci
 * @vdev: the core's part
 * @pdev: the function
 * @node: on the list of those that hot reset may meet, under its lock
 * @saved: the function's registers at open, for the close
 * @masks_intx: it can say that it raises INTx, and mask it; its line may be shared
 * @resettable: it has a reset of its own
 * @in_use: VFIO_PCI_*_IRQ_INDEX that has interrupts, or VFIO_PCI_NUM_IRQS
 * @forced_memory, @woken: memory decoding is on, it is in D0, only for the sake of interrupt set-up
 * @command, @data_select: of one that is woken: what the user wrote there, and to power control
 * @pages: what is left of the page of each BAR that is smaller, so that nobody else is given it
 * @io: mappings of I/O port BARs, while open
 * @config: the user's view of configuration space, while open
 * @soft_reset: returning from D3hot to D0 resets it: @powered_down is to be restored
 * @powered_down: its registers before D3hot
 * @asleep: suspended by runtime PM, or about to be; under evfio_device::lock
 * @wakeup: signalled when it is resumed, which ends evfio_device::resting; or NULL
 * @unbinding: being taken from its users, its struct device's lock held until that is done
 * @pf: of a virtual function, the physical one, if vfio-pci has it; of a physical one, itself
 * @token: of a physical function; of a virtual one, what its user showed last. See sriov.c
 * @vfs: of a physical function; under evfio_device::lock
 * @unclean: what was saved of it is to be restored when @vfs are there; likewise
 * @users: of a physical function, how many of its virtual ones are open
 */
struct pci_vdev {
	struct evfio_device	vdev;
	struct pci_dev		*pdev;
	struct list_head	node;
	struct pci_saved_state	*saved;
	bool			masks_intx;
	bool			resettable;
	u32			in_use;
	bool			forced_memory;
	bool			woken;
	u16			command, data_select;
	struct resource		pages[PCI_STD_NUM_BARS];
	void __iomem		*io[PCI_STD_NUM_BARS];
	struct pci_config	*config;
	bool			soft_reset;
	struct pci_saved_state	*powered_down;
	bool			asleep;
	struct eventfd_ctx	*wakeup;
	bool			unbinding;
	struct pci_vdev		*pf;
	uuid_t			token;
	enum pci_vfs		vfs;
	bool			unclean;
	u32			users;
};

/* <linux/vfio.h> before Linux 6.6. */
#ifndef VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP
#define VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP	5
#define VFIO_PCI_ATOMIC_COMP32			BIT(0)
struct vfio_device_info_cap_pci_atomic_comp {
	struct vfio_info_cap_header	header;
	u32				flags;
	u32				reserved;
};
#endif

static inline struct pci_vdev *to_pci(struct evfio_device *vdev)
{
	return container_of(vdev, struct pci_vdev, vdev);
}

static inline bool pci_sleeps(struct pci_dev *pdev)
{
	return pdev->current_state == PCI_D3hot || pdev->current_state == PCI_D3cold;
}

/* MSI-X vectors can be added while others are in use. HAVE_*: see core/compat.h. */
static inline bool pci_vdev_msix_grows(struct pci_dev *pdev)
{
#ifdef HAVE_MSIX_ALLOC_IRQ_AT
	return pci_msix_can_alloc_dyn(pdev);
#else
	return false;
#endif
}

static inline int pci_vdev_msix_grow(struct pci_dev *pdev, unsigned int vector)
{
#ifdef HAVE_MSIX_ALLOC_IRQ_AT
	struct msi_map map;

	if (!pci_msix_can_alloc_dyn(pdev))
		return -EINVAL;
	map = pci_msix_alloc_irq_at(pdev, vector, NULL);
	return map.index < 0 ? map.index : map.virq;
#else
	return -EINVAL;
#endif
}

/* Give a function a driver_override, unless it has one. */
static inline int pci_vdev_override(struct pci_dev *pdev, const char *driver)
{
#ifdef HAVE_DEVICE_DRIVER_OVERRIDE
	return READ_ONCE(pdev->dev.driver_override.name) ? 0 :
	       device_set_driver_override(&pdev->dev, driver);
#else
	return pdev->driver_override ? 0 :
	       driver_set_override(&pdev->dev, &pdev->driver_override, driver, strlen(driver));
#endif
}

/* config.c */

struct pci_config *pci_config_new(struct pci_vdev *pv);
int pci_config_access(struct pci_vdev *pv, u32 off, u8 *buf, size_t count, bool write);
bool pci_config_memory(struct pci_vdev *pv);
void pci_config_restored(struct pci_vdev *pv);
void pci_config_msi(struct pci_vdev *pv, u32 vectors);

/* interrupt.c */

int pci_irqs_describe(struct pci_vdev *pv);
int pci_irq_enable(struct evfio_device *vdev, u32 index, u32 count);
int pci_irq_line(struct evfio_device *vdev, u32 index, u32 line);
void pci_irq_disable(struct evfio_device *vdev, u32 index);
void pci_irq_begin(struct evfio_device *vdev);
void pci_irq_end(struct evfio_device *vdev);

/* reset.c */

int pci_function_reset(struct evfio_device *vdev);
long pci_hot_reset_info(void *obj, union evfio_args *args, unsigned long arg);
long pci_hot_reset(void *obj, union evfio_args *args, unsigned long arg);
void pci_reset_join(struct pci_vdev *pv);
void pci_reset_leave(struct pci_vdev *pv);

/* pci.c */

extern struct pci_driver pci_driver;
void pci_memory(struct pci_vdev *pv, bool on);
void pci_intx_sleep(struct pci_vdev *pv, bool asleep);
void pci_power(struct pci_vdev *pv, pci_power_t state);

/* sriov.c */

#ifdef CONFIG_EVFIO_PCI_SRIOV
int pci_sriov_configure(struct pci_dev *pdev, int n);
void pci_sriov_begin(struct pci_vdev *pv);
void pci_sriov_end(struct pci_vdev *pv);
int pci_sriov_admit(struct pci_vdev *pv, const char *option);
int pci_sriov_open(struct pci_vdev *pv);
void pci_sriov_close(struct pci_vdev *pv);
bool pci_sriov_is_pf(struct evfio_device *vdev);
int pci_sriov_token(struct evfio_device *vdev, u32 way, void *data);
void pci_sriov_init(void);
void pci_sriov_exit(void);
#else
#define pci_sriov_configure NULL
static inline void pci_sriov_begin(struct pci_vdev *pv) { }
static inline void pci_sriov_end(struct pci_vdev *pv) { }
static inline int pci_sriov_open(struct pci_vdev *pv) { return 0; }
static inline void pci_sriov_close(struct pci_vdev *pv) { }
static inline void pci_sriov_init(void) { }
static inline void pci_sriov_exit(void) { }

static inline int pci_sriov_admit(struct pci_vdev *pv, const char *option)
{
	return option[strspn(option, " ")] ? -EINVAL : 1;
}
#endif

#endif
