/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libevfio: userspace drivers on <linux/vfio.h>.
 *
 * One include for all of it; each header below may be included alone as well. The library speaks
 * <linux/vfio.h>, so it works on evfio's modules and on the kernel's own; what evfio's alone can do
 * fails on the others with -ENOTTY.
 *
 * Functions that can fail return 0 (or a count) on success and a negative errno on failure; after a
 * failure evfio_error() says, in words, what went wrong and what to do about it.
 */
#ifndef EVFIO_EVFIO_H
#define EVFIO_EVFIO_H

#include <evfio/bind.h>
#include <evfio/buffer.h>
#include <evfio/container.h>
#include <evfio/contig.h>
#include <evfio/device.h>
#include <evfio/dma.h>
#include <evfio/doctor.h>
#include <evfio/dt.h>
#include <evfio/error.h>
#include <evfio/irq.h>
#include <evfio/pci.h>
#include <evfio/pin.h>
#include <evfio/region.h>
#include <evfio/sriov.h>
#include <evfio/sysfs.h>
#include <evfio/token.h>

#endif /* EVFIO_EVFIO_H */
