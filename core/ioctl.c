// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl dispatch: the one place that copies an argument's fixed part in and out and checks its
 * size, and the chains of capabilities behind info structures.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

static long ioctl_call(const struct evfio_ioctl *row, void *obj, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	union evfio_args args;
	long ret;

	if (copy_from_user(&args, user, row->size))
		return -EFAULT;
	if ((row->flags & EVFIO_ARGSZ) && args.argsz < row->size)
		return -EINVAL;
	ret = row->handler(obj, &args, arg);
	if ((ret < 0 && ret != -ENOSPC) || !(row->flags & EVFIO_OUT) ||
	    !copy_to_user(user, &args, row->size))
		return ret;
	if (row->flags >> 8 && ret >= 0) {
		args.undo.id = *(u32 *)((u8 *)&args + (row->flags >> 8));
		args.undo.flags = 0;
		row[1].handler(obj, &args, 0);
	}
	return -EFAULT;
}

/**
 * evfio_tail_get() - copy the array behind an argument's fixed part
 * @arg: the argument
 * @fixed: size of that part
 * @n: elements
 * @size: of each
 *
 * Return: the array, for kfree(), or an ERR_PTR.
 */
void *evfio_tail_get(unsigned long arg, size_t fixed, size_t n, size_t size)
{
	return memdup_user((void __user *)arg + fixed, array_size(n, size));
}
EXPORT_SYMBOL_GPL(evfio_tail_get);

/**
 * evfio_tail_put() - fill the array behind an argument's fixed part
 * @arg: the argument
 * @fixed: size of that part
 * @tail: the array
 * @n: elements
 * @size: of each
 *
 * Return: 0 or -EFAULT.
 */
int evfio_tail_put(unsigned long arg, size_t fixed, const void *tail, size_t n, size_t size)
{
	return copy_to_user((void __user *)arg + fixed, tail, array_size(n, size)) ? -EFAULT : 0;
}
EXPORT_SYMBOL_GPL(evfio_tail_put);

/**
 * evfio_ioctl() - find an ioctl's row and do it
 * @table: the object's ioctls
 * @rows: how many
 * @obj: passed to the handler
 * @cmd: the number wanted
 * @arg: its argument
 * @unknown: the answer to a number that is not in the table
 */
long evfio_ioctl(const struct evfio_ioctl *table, size_t rows, void *obj, unsigned int cmd,
		 unsigned long arg, long unknown)
{
	for (; rows; rows--, table++)
		if (table->cmd == cmd)
			return ioctl_call(table, obj, arg);
	return unknown;
}

/**
 * evfio_caps_add() - append a capability
 * @caps: the chain, zeroed before the first call
 * @id: VFIO_*_CAP_* number
 * @version: of its layout
 * @size: bytes, header included
 *
 * Return: the zeroed capability with its header filled in, or NULL without memory. Valid until the
 * next call. On failure the chain is as it was.
 */
void *evfio_caps_add(struct evfio_caps *caps, u16 id, u16 version, size_t size)
{
	size_t step = ALIGN(size, sizeof(u64));
	struct vfio_info_cap_header *header;
	void *buf = krealloc(caps->buf, caps->size + step, GFP_KERNEL);

	if (!buf)
		return NULL;
	header = buf + caps->size;
	memset(header, 0, step);
	header->id = id;
	header->version = version;
	/* Where the next one would begin; evfio_caps_copy() ends the chain. */
	header->next = caps->size + step;
	caps->buf = buf;
	caps->size += step;
	return header;
}
EXPORT_SYMBOL_GPL(evfio_caps_add);

/**
 * evfio_caps_copy() - hand a chain to the user, behind the info structure
 * @caps: the chain, not empty
 * @info: the user's structure
 * @info_size: its size; the chain's offsets count from its start
 */
int evfio_caps_copy(struct evfio_caps *caps, void __user *info, size_t info_size)
{
	struct vfio_info_cap_header *header;
	size_t at, next;

	for (at = 0; at < caps->size; at = next) {
		header = caps->buf + at;
		next = header->next;
		header->next = next < caps->size ? next + info_size : 0;
	}
	return copy_to_user(info + info_size, caps->buf, caps->size) ? -EFAULT : 0;
}
