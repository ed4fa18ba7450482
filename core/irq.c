// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: lines of a device that signal eventfds.
 *
 * The bus describes an index as a set of lines (struct evfio_irq, struct evfio_line); they live
 * and die with their device. A line is requested from the kernel while it has a trigger. A level
 * interrupt is masked by its handler (automask) until the user, who alone can make the device let
 * go of it, unmasks it, by ioctl or through an eventfd. Some indices have interrupts only while
 * they are in use, from the first trigger until the user switches the index off.
 *
 * evfio_device::irq_lock protects the set-up: triggers and irqfds; what touches hardware, or the
 * trigger of an event, holds evfio_device::lock inside it as well. evfio_line::lock protects the
 * mask against the handler. Nothing is signalled under evfio_line::lock: an eventfd's own lock is
 * taken outside it when an irqfd is woken.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

/**
 * evfio_irq_init() - give an interrupt index its lines
 * @irq: the index
 * @count: how many; their hwirq is the bus's to fill in
 */
int evfio_irq_init(struct evfio_irq *irq, u32 count)
{
	u32 i;

	irq->lines = kvcalloc(count, sizeof(*irq->lines), GFP_KERNEL_ACCOUNT);
	if (!irq->lines)
		return -ENOMEM;
	irq->count = count;
	for (i = 0; i < count; i++)
		spin_lock_init(&irq->lines[i].lock);
	return 0;
}
EXPORT_SYMBOL_GPL(evfio_irq_init);

/**
 * evfio_irq_free() - free what evfio_irq_init() made
 * @vdev: the device, torn down
 */
void evfio_irq_free(struct evfio_device *vdev)
{
	u32 i;

	for (i = 0; i < vdev->num_irqs; i++)
		kvfree(vdev->irqs[i].lines);
	kfree(vdev->irqs);
}

/**
 * evfio_irq_find() - an index that the user names
 * @vdev: the device
 * @index: its number
 *
 * A bus may add an index while calls are under way, by storing num_irqs with release semantics when
 * the rest is complete. It takes it back when there is no fd any more, or the device is revoked.
 *
 * Return: the index, or NULL. Its lines are there under evfio_device::lock, or irq_lock, unless
 * revoked.
 */
struct evfio_irq *evfio_irq_find(struct evfio_device *vdev, u32 index)
{
	/* Pairs with the bus's store. */
	u32 n = smp_load_acquire(&vdev->num_irqs);

	return index < n ? &vdev->irqs[array_index_nospec(index, n)] : NULL;
}

static irqreturn_t line_ignore(int irq, void *data)
{
	return IRQ_HANDLED;
}

/**
 * evfio_irq_drain() - forget edges that came while nobody had the lines
 * @vdev: the device, being opened
 *
 * What the last user's device did is not for the next user to hear. The kernel keeps an edge that
 * it took when the line had just been freed, and raises it again for who requests it next; the
 * interrupt controller keeps others. So request it, make the controller forget, and wait until what
 * it has delivered before has been ignored. Not every controller can forget; so be it.
 */
void evfio_irq_drain(struct evfio_device *vdev)
{
	struct evfio_line *line;
	u32 i, j;

	for (i = 0; i < vdev->num_irqs; i++)
		for (j = 0; j < vdev->irqs[i].count; j++) {
			line = &vdev->irqs[i].lines[j];
			if (vdev->irqs[i].kind != EVFIO_IRQ_WIRED || line->automask ||
			    request_irq(line->hwirq, line_ignore, 0, dev_name(vdev->dev), line))
				continue;
			irq_set_irqchip_state(line->hwirq, IRQCHIP_STATE_PENDING, false);
			synchronize_irq(line->hwirq);
			free_irq(line->hwirq, line);
		}
}

/* Let what is requested follow the flag @line->masked. */
static void line_follow(struct evfio_line *line)
{
	lockdep_assert_held(&line->lock);
	if (!line->requested || line->asleep)
		return;
	if (line->ops)
		line->ops->mask(line->vdev, line->masked);
	else if (line->masked)
		disable_irq_nosync(line->hwirq);
	else
		enable_irq(line->hwirq);
}

/* A device that masks the line is told even if it should know: others write its registers, too. */
static void line_update(struct evfio_line *line, bool masked)
{
	masked |= line->held;
	if (line->masked == masked && !line->ops)
		return;
	line->masked = masked;
	line_follow(line);
}

static void line_set_masked(struct evfio_line *line, bool masked)
{
	unsigned long flags;

	spin_lock_irqsave(&line->lock, flags);
	line_update(line, masked);
	spin_unlock_irqrestore(&line->lock, flags);
}

static void line_mask(struct evfio_line *line)
{
	line_set_masked(line, true);
}

static void line_unmask(struct evfio_line *line)
{
	line_set_masked(line, false);
}

/**
 * evfio_line_hold() - the user has written the register by which the device masks a line
 * @line: the line
 * @hold: whether it is masked there; to unmask it there is also to unmask it
 */
void evfio_line_hold(struct evfio_line *line, bool hold)
{
	unsigned long flags;
	bool masked;

	spin_lock_irqsave(&line->lock, flags);
	masked = line->held == hold ? line->masked : hold;
	line->held = hold;
	line_update(line, masked);
	spin_unlock_irqrestore(&line->lock, flags);
}
EXPORT_SYMBOL_GPL(evfio_line_hold);

/**
 * evfio_line_sleep() - the device that masks a line does not answer from here on, or does again
 * @line: the line, masked in the device meanwhile; one that the interrupt controller masks stays
 * as it is
 * @asleep: which
 */
void evfio_line_sleep(struct evfio_line *line, bool asleep)
{
	unsigned long flags;

	if (!line->ops)
		return;
	spin_lock_irqsave(&line->lock, flags);
	if (asleep && line->requested)
		line->ops->mask(line->vdev, true);
	line->asleep = asleep;
	line_follow(line);
	spin_unlock_irqrestore(&line->lock, flags);
}
EXPORT_SYMBOL_GPL(evfio_line_sleep);

/*
 * The line has fired, or is told to behave as if it had. A device may raise a line that is masked:
 * a reset, or a write beside our own, has undone the mask. It is masked again and not told on, or
 * it would keep the processor here.
 */
static irqreturn_t line_fire(int irq, void *data)
{
	struct eventfd_ctx *trigger;
	struct evfio_line *line = data;
	bool ours = true, fire = true;
	unsigned long flags;

	if (line->automask) {
		spin_lock_irqsave(&line->lock, flags);
		fire = !line->masked;
		ours = fire;
		if (line->ops)
			ours = line->requested && !line->asleep && line->ops->claim(line->vdev);
		fire &= ours;
		if (fire) {
			line->masked = true;
			if (!line->ops)
				line_follow(line);
		}
		spin_unlock_irqrestore(&line->lock, flags);
	}
	trigger = READ_ONCE(line->trigger);
	if (fire && trigger)
		evfio_eventfd_signal(trigger);
	return IRQ_RETVAL(ours);
}

/* TRIGGER without an eventfd. A line that the device masks is not masked by this. */
static void line_loop(struct evfio_line *line)
{
	if (!line->ops)
		line_fire(line->hwirq, line);
	else if (line->trigger && !line->held)
		evfio_eventfd_signal(line->trigger);
}

static void line_release(struct evfio_line *line)
{
	unsigned long flags;
	bool requested;

	if (!line->trigger)
		return;
	/* From here on masking is a matter of the flag alone. */
	spin_lock_irqsave(&line->lock, flags);
	requested = line->requested;
	if (requested && line->ops)
		line->ops->mask(line->vdev, true);
	line->requested = false;
	spin_unlock_irqrestore(&line->lock, flags);
	if (requested)
		kfree(free_irq(line->hwirq, line));
	eventfd_ctx_put(line->trigger);
	line->trigger = NULL;
}

static int line_request(struct evfio_device *vdev, struct evfio_line *line)
{
	char *name = kasprintf(GFP_KERNEL_ACCOUNT, "vfio-irq[%d](%s)", line->hwirq,
			       dev_name(vdev->dev));
	int ret;

	if (!name)
		return -ENOMEM;
	/* Requested disabled, and enabled as one step with the flag, whatever the irqfds do. */
	ret = request_irq(line->hwirq, line_fire, line->ops ? IRQF_SHARED : IRQF_NO_AUTOEN, name,
			  line);
	if (ret) {
		dev_err_ratelimited(vdev->dev, "interrupt %d: error %d%s\n", line->hwirq, ret,
				    ret != -EBUSY ? "" :
				    ": another driver has it, and VFIO shares no lines of such devices");
		kfree(name);
		return ret;
	}
	/*
	 * Mask at once when the handler says so, not when the line, which is still up, comes a
	 * second time: that costs an exception, and if the user is quicker it is a false event.
	 * Freeing the interrupt clears the flag.
	 */
	if (line->automask && !line->ops)
		irq_set_status_flags(line->hwirq, IRQ_DISABLE_UNLAZY);
	spin_lock_irq(&line->lock);
	line->requested = true;
	if (line->ops || !line->masked)
		line_follow(line);
	spin_unlock_irq(&line->lock);
	return 0;
}

/* Change a line's trigger; @fd < 0: it has none from now on. A failure changes nothing. */
static int line_trigger(struct evfio_device *vdev, struct evfio_irq *irq, u32 i, s32 fd)
{
	struct evfio_line *line = &irq->lines[i];
	struct eventfd_ctx *ctx;
	int ret;

	if (fd < 0) {
		line_release(line);
		return 0;
	}
	if (irq->kind == EVFIO_IRQ_SWITCHED && !line->trigger) {
		ret = vdev->ops->irq_line(vdev, irq - vdev->irqs, i);
		if (ret < 0)
			return ret;
		line->hwirq = ret;
	}
	ctx = eventfd_ctx_fdget(fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (line->trigger) {
		swap(line->trigger, ctx);
		if (line->requested)
			synchronize_irq(line->hwirq);	/* the handler has seen the new one */
		eventfd_ctx_put(ctx);
		return 0;
	}
	line->trigger = ctx;
	ret = irq->kind == EVFIO_IRQ_EVENT ? 0 : line_request(vdev, line);
	if (ret < 0) {
		line->trigger = NULL;
		eventfd_ctx_put(ctx);
		return ret;
	}
	return 0;
}

/*
 * An irqfd has been signalled. Not so if the signal comes out of an interrupt handler: two lines
 * whose triggers unmask each other would keep the processor in its handlers forever.
 */
static bool irqfd_take(struct evfio_irqfd *irqfd, void *key)
{
	u64 count;

	if (key_to_poll(key) & EPOLLHUP)
		WRITE_ONCE(irqfd->closed, true);
	if (!(key_to_poll(key) & EPOLLIN) || in_hardirq())
		return false;
	eventfd_ctx_do_read(irqfd->ctx, &count);
	return true;
}

static int irqfd_mask(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct evfio_line *line = container_of(wait, struct evfio_line, mask.wait);

	if (irqfd_take(&line->mask, key))
		line_mask(line);
	return 0;
}

static int irqfd_unmask(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct evfio_line *line = container_of(wait, struct evfio_line, unmask.wait);

	if (irqfd_take(&line->unmask, key))
		line_unmask(line);
	return 0;
}

struct irqfd_poll {
	poll_table		table;
	struct evfio_irqfd	*irqfd;
};

static void irqfd_queue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct irqfd_poll *poll = container_of(table, struct irqfd_poll, table);

	add_wait_queue(head, &poll->irqfd->wait);
}

/**
 * evfio_irqfd_drop() - no longer be woken by an eventfd
 * @irqfd: it, or one without
 */
void evfio_irqfd_drop(struct evfio_irqfd *irqfd)
{
	u64 count;

	if (!irqfd->ctx)
		return;
	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
	eventfd_ctx_put(irqfd->ctx);
	irqfd->ctx = NULL;
	irqfd->closed = false;
}

/**
 * evfio_irqfd_add() - be woken by an eventfd
 * @irqfd: has none yet
 * @fd: the eventfd
 * @wake: called with the eventfd's lock held
 *
 * Return: 0, or above if it is signalled already; a negative errno, -EBUSY if @irqfd has one.
 */
int evfio_irqfd_add(struct evfio_irqfd *irqfd, s32 fd, wait_queue_func_t wake)
{
	struct irqfd_poll poll = { .irqfd = irqfd };
	struct file *file;
	int ret;

	file = eventfd_fget(fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (irqfd->ctx) {
		fput(file);
		return -EBUSY;
	}
	irqfd->ctx = eventfd_ctx_fileget(file);	/* an eventfd's file always has one */
	init_waitqueue_func_entry(&irqfd->wait, wake);
	init_poll_funcptr(&poll.table, irqfd_queue);
	ret = !!(vfs_poll(file, &poll.table) & EPOLLIN);
	fput(file);
	return ret;
}

/* Let eventfd @fd do @act to a line, through @wake; @fd < 0: no longer. */
static int irqfd_set(struct evfio_line *line, struct evfio_irqfd *irqfd, s32 fd,
		     wait_queue_func_t wake, void (*act)(struct evfio_line *line))
{
	int ret;

	if (fd < 0 || READ_ONCE(irqfd->closed))
		evfio_irqfd_drop(irqfd);
	if (fd < 0)
		return 0;
	ret = evfio_irqfd_add(irqfd, fd, wake);
	if (ret > 0)
		act(line);
	return min(ret, 0);
}

static void irq_begin(struct evfio_device *vdev)
{
	lockdep_assert_held(&vdev->irq_lock);
	down_write(&vdev->lock);
	if (vdev->ops->irq_begin)
		vdev->ops->irq_begin(vdev);
}

static void irq_end(struct evfio_device *vdev)
{
	if (vdev->ops->irq_end)
		vdev->ops->irq_end(vdev);
	up_write(&vdev->lock);
}

/*
 * Offer lines to KVM, or take back what was offered. A message whose trigger is an irqfd of KVM's
 * may then go to the guest without the host's hearing of it, if the hardware can do that. If not,
 * or if the offer fails, nothing changes.
 *
 * KVM reads its guest's memory under locks that it takes for this as well, and that memory may be a
 * mapping of this device, whose fault waits for evfio_device::lock: so that is not held here.
 */
static void irq_bypass(struct evfio_line *line, u32 count, bool offer)
{
	if (!IS_ENABLED(CONFIG_IRQ_BYPASS_MANAGER))
		return;
	for (; count--; line++)
		if (!offer)
			evfio_bypass_unregister(&line->bypass);
		else if (line->requested)
			evfio_bypass_register(&line->bypass, line->trigger, line->hwirq);
}

/* No line of an index fires any more. */
static void irq_off(struct evfio_device *vdev, struct evfio_irq *irq)
{
	u32 i;

	lockdep_assert_held(&vdev->irq_lock);
	for (i = 0; i < irq->count; i++) {
		if (irq->kind == EVFIO_IRQ_SWITCHED) {
			evfio_irqfd_drop(&irq->lines[i].mask);
			evfio_irqfd_drop(&irq->lines[i].unmask);
		}
		line_release(&irq->lines[i]);
	}
	if (irq->enabled)
		vdev->ops->irq_disable(vdev, irq - vdev->irqs);
	irq->enabled = false;
}

/**
 * evfio_irq_teardown() - no line fires or wakes any more; masks are forgotten
 * @vdev: the device, being closed
 */
void evfio_irq_teardown(struct evfio_device *vdev)
{
	struct evfio_line *line;
	struct evfio_irq *irq;
	u32 i, j;

	mutex_lock(&vdev->irq_lock);
	for (i = 0; i < vdev->num_irqs; i++) {
		irq = &vdev->irqs[i];
		irq_bypass(irq->lines, irq->count, false);
		irq_begin(vdev);
		irq_off(vdev, irq);
		for (j = 0; j < irq->count; j++) {
			line = &irq->lines[j];
			evfio_irqfd_drop(&line->mask);
			evfio_irqfd_drop(&line->unmask);
			line->masked = false;
			line->held = false;
		}
		irq_end(vdev);
	}
	mutex_unlock(&vdev->irq_lock);
}

/**
 * evfio_irq_signal() - an event that comes from no interrupt
 * @vdev: the device
 * @index: which; nothing happens if it is not of the kind EVFIO_IRQ_EVENT
 */
void evfio_irq_signal(struct evfio_device *vdev, u32 index)
{
	struct evfio_irq *irq = &vdev->irqs[index];

	if (index >= vdev->num_irqs || irq->kind != EVFIO_IRQ_EVENT || !irq->count)
		return;
	down_read(&vdev->lock);
	if (irq->lines->trigger)
		evfio_eventfd_signal(irq->lines->trigger);
	up_read(&vdev->lock);
}
EXPORT_SYMBOL_GPL(evfio_irq_signal);

/* Do one action of VFIO_DEVICE_SET_IRQS to one line. @fd: DATA_EVENTFD's; @on: else, whether. */
static int line_set(struct evfio_device *vdev, struct evfio_irq *irq, u32 i, u32 flags, s32 fd,
		    bool on)
{
	const bool eventfd = flags & VFIO_IRQ_SET_DATA_EVENTFD;
	struct evfio_line *line = &irq->lines[i];

	switch (flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_MASK:
		if (eventfd)
			return irqfd_set(line, &line->mask, fd, irqfd_mask, line_mask);
		if (on)
			line_mask(line);
		return 0;
	case VFIO_IRQ_SET_ACTION_UNMASK:
		if (eventfd)
			return irqfd_set(line, &line->unmask, fd, irqfd_unmask, line_unmask);
		if (on)
			line_unmask(line);
		return 0;
	default:
		if (eventfd)
			return line_trigger(vdev, irq, i, fd);
		if (on)
			line_loop(line);
		return 0;
	}
}

static int irq_set(struct evfio_device *vdev, struct evfio_irq *irq, const struct vfio_irq_set *set,
		   const void *data)
{
	const u32 flags = set->flags;
	const bool trigger = flags & VFIO_IRQ_SET_ACTION_TRIGGER;
	const bool eventfd = flags & VFIO_IRQ_SET_DATA_EVENTFD;
	bool on = true, fresh = false;
	s32 fd = -1;
	int ret;
	u32 i;

	lockdep_assert_held(&vdev->irq_lock);
	if (irq->kind == EVFIO_IRQ_SWITCHED && !irq->enabled) {
		if (!trigger || !eventfd)
			return -EINVAL;
		ret = vdev->ops->irq_enable(vdev, set->index, set->start + set->count);
		if (ret)
			return ret;
		irq->enabled = true;
		fresh = true;
		for (i = 0; i < irq->count; i++)
			irq->lines[i].masked = irq->lines[i].held;
	}
	if (irq->kind == EVFIO_IRQ_EVENT && flags & VFIO_IRQ_SET_DATA_NONE && !irq->lines->trigger)
		return -EINVAL;
	/* No lines at all, no data, TRIGGER: switch the index off. */
	if (!set->count && flags & VFIO_IRQ_SET_DATA_NONE)
		irq_off(vdev, irq);

	for (i = 0; i < set->count; i++) {
		if (eventfd)
			fd = ((const s32 *)data)[i];
		else if (flags & VFIO_IRQ_SET_DATA_BOOL)
			on = ((const u8 *)data)[i];
		ret = line_set(vdev, irq, set->start + i, flags, fd, on);
		if (ret)
			goto undo;
	}
	return 0;

undo:
	if (fresh)
		irq_off(vdev, irq);
	else if (irq->kind == EVFIO_IRQ_SWITCHED && trigger)
		while (i--)
			line_release(&irq->lines[set->start + i]);
	return ret;
}

/* The same, with those messages taken back from KVM whose triggers may change. */
static long irq_change(struct evfio_device *vdev, struct evfio_irq *irq,
		       const struct vfio_irq_set *set, const void *data)
{
	struct evfio_line *line = irq->lines;
	u32 count = 0;
	long ret;

	if (irq->kind == EVFIO_IRQ_SWITCHED && !(irq->flags & VFIO_IRQ_INFO_MASKABLE)) {
		if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
			line += set->start;
			count = set->count;
		} else if (!set->count) {
			count = irq->count;
		}
	}
	irq_bypass(line, count, false);
	irq_begin(vdev);
	ret = irq_set(vdev, irq, set, data);
	irq_end(vdev);
	irq_bypass(line, count, true);
	return ret;
}

/* Bytes of data behind the fixed part for each line, or -EINVAL if the data type is none. */
static int data_size(u32 flags)
{
	switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		return sizeof(u8);
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return sizeof(s32);
	default:
		return -EINVAL;
	}
}

/**
 * evfio_irq_set() - VFIO_DEVICE_SET_IRQS
 * @vdev: the device
 * @set: the fixed part, argsz checked against its own size; start is made safe to be an index
 * @data: the user's data behind it
 *
 * Return: 0; -EINVAL for a range, flag or size that is wrong; -ENOTTY if it names no single action;
 * evfio_irq::unmaskable; what the eventfd, the interrupt or evfio_bus_ops::irq_enable says, which
 * may be more than 0; -ENODEV when revoked.
 */
long evfio_irq_set(struct evfio_device *vdev, struct vfio_irq_set *set, void __user *data)
{
	const u32 known = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
	const u32 action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	int size = data_size(set->flags);
	struct evfio_irq *irq = evfio_irq_find(vdev, set->index);
	void *copy = NULL;
	bool maskable;
	long ret;

	if (size < 0 || !irq || set->flags & ~known)
		return -EINVAL;
	maskable = irq->flags & VFIO_IRQ_INFO_MASKABLE;
	if (set->start >= irq->count || set->count > irq->count - set->start)
		return -EINVAL;
	set->start = array_index_nospec(set->start, irq->count);
	if (size && (set->argsz - offsetofend(struct vfio_irq_set, count)) / size < set->count)
		return -EINVAL;
	if (size) {
		copy = memdup_user(data, array_size(set->count, size));
		if (IS_ERR(copy))
			return PTR_ERR(copy);
	}
	if (!is_power_of_2(action)) {
		ret = -ENOTTY;
	} else if (action != VFIO_IRQ_SET_ACTION_TRIGGER && !maskable) {
		ret = irq->unmaskable;
	} else if (!set->count && (action != VFIO_IRQ_SET_ACTION_TRIGGER ||
				   (size && (irq->kind != EVFIO_IRQ_SWITCHED || maskable)))) {
		ret = -EINVAL;
	} else {
		mutex_lock(&vdev->irq_lock);
		/* If it is revoked from here on, its teardown waits for the lock. */
		ret = READ_ONCE(vdev->revoked) ? -ENODEV : irq_change(vdev, irq, set, copy);
		mutex_unlock(&vdev->irq_lock);
	}
	kfree(copy);
	return ret;
}
