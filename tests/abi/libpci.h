/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libpci - the functions of the PCI board, and what a raw client does with them; see libboard.h
 *
 * Calls that return an unsigned value bail out when they fail.
 */
#ifndef LIBPCI_H
#define LIBPCI_H

#include <linux/pci_regs.h>

#include "libboard.h"

/* PCI_DEVICES in tests/vm/board.py says what each is. */
#define PCI_EDU		"0000:00:01.0"
#define PCI_NVME	"0000:00:02.0"
#define PCI_NIC		"0000:00:03.0"
#define PCI_PORT	"0000:00:04.0"	/* the root port above PCI_FAR */
#define PCI_FAR		"0000:01:00.0"	/* a network controller, cabled to PCI_NIC */
#define PCI_BRIDGED	"0000:02:01.0"	/* an edu */
#define PCI_TWIN0	"0000:00:06.0"	/* an edu, and */
#define PCI_TWIN1	"0000:00:06.1"	/* another in the same slot */
#define PCI_SRIOV	"0000:00:07.0"	/* an nvme */
#define PCI_VF1		"0000:00:07.1"	/* its virtual functions, while it has any */
#define PCI_VF2		"0000:00:07.2"
#define PCI_BLIND	"0000:03:00.0"	/* another, in one group with its virtual functions */
#define PCI_BLIND_VF1	"0000:03:00.1"
#define PCI_BLIND_VF2	"0000:03:00.2"
#define PCI_ROCKER	"0000:00:08.0"	/* fires the vectors it is told to */
#define PCI_MEMORY	"0000:00:09.0"	/* 4 MiB of memory */
#define PCI_SLOT0	"0000:00:0a.0"	/* an nvme without a disk, and */
#define PCI_SLOT1	"0000:00:0a.1"	/* another in the same slot, in a group of its own */
#define PCI_USB		"0000:00:0b.0"	/* a host controller, with 16 vectors of MSI or MSI-X */

#define MEMORY		PCI_COMMAND_MEMORY
#define MASTER		PCI_COMMAND_MASTER

/* ---- configuration space ---- */

/* pread() and pwrite() in the configuration region: bytes, or a negative errno. */
long cfg_pread(const struct dev *d, uint64_t at, void *buf, size_t len);
long cfg_pwrite(const struct dev *d, uint64_t at, const void *buf, size_t len);

/* 1, 2 or 4 bytes. */
uint32_t cfg_read(const struct dev *d, uint32_t at, size_t width);
void cfg_write(const struct dev *d, uint32_t at, size_t width, uint32_t value);

/* Turn on and off bits of the command register. */
void cfg_command(const struct dev *d, uint16_t on, uint16_t off);

/* Where a capability, or an extended one, begins; 0 without it. */
uint32_t cfg_cap(const struct dev *d, uint8_t id);
uint32_t cfg_ext_cap(const struct dev *d, uint16_t id);

/* What the device itself says and is told, past VFIO; 1, 2 or 4 bytes. */
uint32_t hw_read(const char *name, uint32_t at, size_t width);
void hw_write(const char *name, uint32_t at, size_t width, uint32_t value);

/* ---- regions ---- */

/* VFIO_DEVICE_GET_REGION_INFO with room for capabilities. The next call overwrites it. */
int region_info(const struct dev *d, uint32_t index, const struct vfio_region_info **info);

/* A capability of what region_info() found, or NULL. */
const void *region_cap(const struct vfio_region_info *info, uint16_t id);

uint64_t region_size(const struct dev *d, uint32_t index);

/* pread() and pwrite() in a region: bytes, or a negative errno. */
long bar_pread(const struct dev *d, uint32_t index, uint64_t at, void *buf, size_t len);
long bar_pwrite(const struct dev *d, uint32_t index, uint64_t at, const void *buf, size_t len);

/* The whole of a region mapped, or a negative errno. */
int bar_map(const struct dev *d, uint32_t index, volatile uint8_t **regs);

/* First address and length of resource @index, as the kernel's PCI core knows it. */
uint64_t hw_bar(const char *name, uint32_t index, uint64_t *size);

/* ---- interrupts ---- */

/* The rocker fires a vector of MSI-X. */
void rocker_fire(const struct dev *d, uint32_t vector);

/* ---- the whole ---- */

/* dev_open(), then the command register with memory and bus mastering on, and an edu quiet. */
void pci_open(struct dev *d, const char *name);

/*
 * Open a bound device in a container of its own by its name with @options behind it, and map its
 * region 0: 0 or the errno of VFIO_GROUP_GET_DEVICE_FD. dev_close() it in either case.
 */
int pci_open_as(struct dev *d, const char *name, const char *options);

/* VFIO_GROUP_GET_DEVICE_FD alone. */
int pci_fd_as(int group, const char *name, const char *options);

/* ---- virtual functions ---- */

/* Let them be made, and let QEMU keep them: 7.2 forgets them when the physical one is reset. */
void sriov_enable(const char *pf);

/* Write sriov_numvfs: 0 or a negative errno. */
int sriov_set(const char *pf, int n);

/* VFIO_DEVICE_FEATURE of the token, with @size bytes of data. */
int sriov_feature(int fd, uint32_t flags, const void *token, size_t size);

/* VFIO_DEVICE_RESET */
int pci_reset(const struct dev *d);

#endif
