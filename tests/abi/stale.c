// SPDX-License-Identifier: GPL-2.0-only
/*
 * stale - an interrupt of one user's is not heard by the next
 *
 * An edge that comes while nobody has the line requested is kept by the interrupt controller.
 */
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

static void next_user(const char *name, bool acknowledged)
{
	const char *how = acknowledged ? "acknowledged" : "never acknowledged";
	struct dev d;
	int efd = efd_new(0);

	dev_open(&d, name);
	is(irq_trigger(d.fd, 0, efd), 0, "%s, %s: trigger", name, how);
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "%s, %s: an interrupt", name, how);
	edu_ack(&d);
	is(irq_trigger(d.fd, 0, -1), 0, "%s, %s: no trigger any more", name, how);
	edu_raise(&d, 1);
	if (acknowledged)
		edu_ack(&d);
	dev_close(&d);

	/* dev_open() acknowledges whatever the device still has to say, as a driver would. */
	dev_open(&d, name);
	is(irq_trigger(d.fd, 0, efd), 0, "%s, %s: the next user's trigger", name, how);
	is(efd_take(efd, QUIET), 0, "%s, %s: it hears nothing", name, how);
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "%s, %s: but its own", name, how);
	edu_ack(&d);
	is(efd_take(efd, QUIET), 0, "%s, %s: and that once", name, how);
	dev_close(&d);
	close(efd);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv, 60);
	next_user(EDU1, true);
	next_user(EDU1, false);
	next_user(EDU0, true);
	next_user(EDU0, false);
	return tap_done();
}
