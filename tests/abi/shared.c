// SPDX-License-Identifier: GPL-2.0-only
/*
 * shared - a device with two interrupts, one of them on a line that another device has
 *
 * 10300000.edu has a second interrupt, "shared", which is the line of 10200000.edu. Whoever asks
 * first gets the line; VFIO shares none, since it cannot tell who raised it, and says so.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

static bool log_says(const char *what)
{
	static char log[1 << 20];
	int len = klogctl(3, log, sizeof(log) - 1);

	log[len < 0 ? 0 : len] = '\0';
	return strstr(log, what);
}

int main(int argc, char **argv)
{
	struct vfio_irq_info info;
	struct dev first, second;
	int a, b;

	tap_start(argc, argv);
	dev_open(&first, EDU2);
	dev_open_in(&second, EDU3, first.container);
	a = efd_new(0);
	b = efd_new(0);

	is(irq_info(second.fd, 0, &info), 0, "the first interrupt is there");
	is(irq_info(second.fd, 1, &info), 0, "so is the second");
	is(info.index, 1, "it is index 1");
	is(info.count, 1, "of one line");
	is(irq_info(second.fd, 2, &info), -EINVAL, "there is no third");

	is(irq_trigger(first.fd, 0, a), 0, "the first device takes its line");
	is(irq_trigger(second.fd, 0, b), 0, "the second device takes its own");
	is(irq_trigger(second.fd, 1, b), -EBUSY, "but not the line that is taken");
	ok(log_says("VFIO shares no lines"), "the kernel's log says why");
	edu_raise(&first, 1);
	is(efd_take(a, SOON), 1, "the line still is the first device's");
	is(efd_take(b, QUIET), 0, "and only its");
	edu_ack(&first);
	is(irq_unmask(first.fd, 0), 0, "unmask");

	is(irq_trigger(first.fd, 0, -1), 0, "the first device lets go");
	is(irq_trigger(second.fd, 1, b), 0, "now the second can have it");
	is(irq_trigger(first.fd, 0, a), -EBUSY, "and the first cannot");
	edu_raise(&first, 1);
	is(efd_take(b, SOON), 1, "whoever has the line hears it");
	edu_ack(&first);
	is(irq_unmask(second.fd, 1), 0, "unmask");
	edu_raise(&second, 1);
	is(efd_take(b, SOON), 1, "the second device's own line works beside it");
	edu_ack(&second);

	dev_close(&second);
	is(irq_trigger(first.fd, 0, a), 0, "closing gives the line back");
	dev_close(&first);
	close(a);
	close(b);
	return tap_done();
}
