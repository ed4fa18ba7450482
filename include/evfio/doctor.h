/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a board and its devices have for drivers in user space, what stands in their way, and what
 * mends that. All is read from sysfs, procfs and the device tree; nothing is opened or changed.
 *
 * Threads: as <evfio/evfio.h> says; the calling one is told.
 */
#ifndef EVFIO_DOCTOR_H
#define EVFIO_DOCTOR_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum evfio_finding - what was found
 * @EVFIO_DEVICE: from here on it is about a device, of this name; or about a node of the device
 *	tree that is no device, by its path
 * @EVFIO_FACT: what there is: "IOMMU (group 3)"
 * @EVFIO_NOTE: a limit or a risk; the device works all the same
 * @EVFIO_OBSTACLE: the device cannot be used until that is mended. Obstacles are in the order in
 *	which they are to be mended, which may bring others to light
 * @EVFIO_REMEDY: what mends the note or obstacle before, one way or another
 */
enum evfio_finding {
	EVFIO_DEVICE,
	EVFIO_FACT,
	EVFIO_NOTE,
	EVFIO_OBSTACLE,
	EVFIO_REMEDY,
};

/**
 * typedef evfio_found - is told what was found, one thing after the other
 * @arg: what evfio_diagnose() was given
 * @what: what kind of thing it is
 * @text: a phrase without a full stop; valid until the function returns. Of a remedy the command or
 *	line, in which words in CAPITALS are to be filled in
 * @where: of a remedy: "as root", "in the shell": where to run the command; "in evfio's sources":
 *	likewise; "device tree", "kernel option", "boot option", "udev rule", "limits.conf": what to
 *	put the line into. Else NULL
 */
typedef void evfio_found(void *arg, enum evfio_finding what, const char *text, const char *where);

/**
 * evfio_diagnose_board() - look at what all devices need
 * @found: is told
 * @arg: for @found
 *
 * The kernel's VFIO, the IOMMU, and what the calling process may do.
 *
 * Return: 0; -ENOMEM.
 */
int evfio_diagnose_board(evfio_found *found, void *arg);

/**
 * evfio_diagnose() - look at a device, or at all
 * @name: the device, as for evfio_open(); also the path of a device-tree node of which there is no
 *	device; NULL: all that could be given to a driver in user space. Those are platform and AMBA
 *	devices with registers that are no interrupt controllers, IOMMUs or host bridges, and PCI
 *	functions that are no bridges
 * @found: is told, of each EVFIO_DEVICE first
 * @arg: for @found
 *
 * Return: 0; -ENOENT: no such device; -EINVAL: @name cannot be one; -ENOMEM.
 */
int evfio_diagnose(const char *name, evfio_found *found, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_DOCTOR_H */
