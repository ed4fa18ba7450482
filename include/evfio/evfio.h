/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libevfio: userspace drivers on <linux/vfio.h>.
 *
 * One include for all of it; each header below may be included alone as well. The library speaks
 * <linux/vfio.h>, so it works on evfio's modules and on the kernel's own; what evfio's alone can do
 * fails on the others with -ENOTTY.
 *
 * Functions that can fail return 0, or a number that their comment names, on success and a negative
 * errno on failure; after a failure evfio_error() says, in words, what went wrong and what to do
 * about it. What they make goes to their last argument, which is not to be used after a failure; it
 * belongs to the caller until the function that takes it back, which accepts NULL as well.
 *
 * Threads: a container, a device, and all that is made of them may be used by several threads at
 * once, if its header does not say otherwise. It is closed, unmapped or freed once, when no thread
 * uses it any more. Functions that take no such thing may be called by any thread at any time.
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
