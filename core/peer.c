// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peer: a stretch of a device's region that an IOMMU backend lets the DMA of devices reach.
 *
 * The backend makes it of a mapping of the region that the user has, and removes it with the DMA
 * mapping. Meanwhile it follows the device: it is in the hardware while the region answers, and for
 * good out of it from the device's last close or its revocation on. It keeps the struct, not the
 * device open, nor the mapping it was made of.
 *
 * evfio_device::lock, held for writing, protects the device's list of peers and evfio_peer::on;
 * evfio_peer::set is called under it.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "core.h"

/* What the user has at @vaddr; the mapping's file, by which the device stays open. */
static struct file *peer_find(struct evfio_peer *peer, unsigned long vaddr, u64 size, bool write)
{
	struct file *file = ERR_PTR(-ENOENT);
	struct vm_area_struct *vma;

	vaddr = untagged_addr(vaddr);
	/* See pin.c. */
	down_read(&current->mm->mmap_lock);
	vma = vma_lookup(current->mm, vaddr);
	if (vma && size <= vma->vm_end - vaddr) {
		peer->region = evfio_region_mapped(vma, vaddr, &peer->base);
		if (peer->region && !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
			file = ERR_PTR(-EFAULT);
		else if (peer->region)
			file = get_file(vma->vm_file);
	}
	up_read(&current->mm->mmap_lock);
	return file;
}

static int peer_on(struct evfio_peer *peer)
{
	int ret = peer->set(peer, true);

	peer->on = !ret;
	return ret;
}

static void peer_off(struct evfio_peer *peer)
{
	if (peer->on)
		peer->set(peer, false);
	peer->on = false;
}

/**
 * evfio_peer_add() - let DMA reach what the current process has mapped of a device
 * @peer: zeroed but for @set; the caller's, until evfio_peer_remove()
 * @vaddr: where, page-aligned
 * @size: bytes
 * @write: DMA may write there
 *
 * Calls evfio_peer::set, and may again, from any thread, until evfio_peer_remove() returns. The
 * caller holds no lock that it takes.
 *
 * Return: 0; -ENOENT if no mapping of a region has all of it; -EFAULT if the mapping does not let
 * the user access it so, or the device does not answer; or what evfio_peer::set said.
 */
int evfio_peer_add(struct evfio_peer *peer, unsigned long vaddr, u64 size, bool write)
{
	struct file *file = peer_find(peer, vaddr, size, write);
	struct evfio_device *vdev;
	int ret = -EFAULT;

	if (IS_ERR(file))
		return PTR_ERR(file);
	vdev = file->private_data;
	down_write(&vdev->lock);
	if (!vdev->revoked && !peer->region->off)
		ret = peer_on(peer);
	if (!ret) {
		peer->vdev = vdev;
		kref_get(&vdev->kref);
		list_add(&peer->node, &vdev->peers);
	}
	up_write(&vdev->lock);
	fput(file);
	return ret;
}
EXPORT_SYMBOL_GPL(evfio_peer_add);

/**
 * evfio_peer_remove() - leave a peer as it is, in the hardware or not
 * @peer: of evfio_peer_add(), which succeeded; evfio_peer::set is not called any more
 */
void evfio_peer_remove(struct evfio_peer *peer)
{
	struct evfio_device *vdev = peer->vdev;

	down_write(&vdev->lock);
	list_del(&peer->node);
	up_write(&vdev->lock);
	evfio_device_put(vdev);
}
EXPORT_SYMBOL_GPL(evfio_peer_remove);

/**
 * evfio_peers_off() - a device does not answer for a while: nothing reaches its memory
 * @vdev: the device, its lock held for writing
 */
void evfio_peers_off(struct evfio_device *vdev)
{
	struct evfio_peer *peer;

	lockdep_assert_held_write(&vdev->lock);
	list_for_each_entry(peer, &vdev->peers, node) {
		peer_off(peer);
		cond_resched();
	}
}

/**
 * evfio_peers_drop() - a device is being closed: nothing reaches its memory any more
 * @vdev: the device, its lock held for writing
 */
void evfio_peers_drop(struct evfio_device *vdev)
{
	struct evfio_peer *peer, *next;

	evfio_peers_off(vdev);
	list_for_each_entry_safe(peer, next, &vdev->peers, node)
		list_del_init(&peer->node);
}

/**
 * evfio_peers_restore() - what answers can be reached again
 * @vdev: the device, its lock held for writing
 *
 * For whoever holds the lock for writing, before letting go of it. Without memory for it, a peer
 * stays out of the hardware.
 */
void evfio_peers_restore(struct evfio_device *vdev)
{
	struct evfio_peer *peer, *next;
	int ret;

	lockdep_assert_held_write(&vdev->lock);
	list_for_each_entry_safe(peer, next, &vdev->peers, node) {
		if (peer->on || peer->region->off || vdev->revoked)
			continue;
		ret = peer_on(peer);
		if (ret) {
			dev_warn_ratelimited(vdev->dev,
					     "its memory at %pa, mapped for DMA, stays out of reach until it is mapped anew: error %d\n",
					     &peer->base, ret);
			list_del_init(&peer->node);
		}
		cond_resched();
	}
}
