// SPDX-License-Identifier: GPL-2.0-only
/*
 * badtree - an isolation group that names no device: nothing is loaded, rather than not isolated
 */
/* vm: overlay="bad" load="no" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

static bool log_has(const char *text)
{
	static char log[1 << 20];
	int len = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);

	return len > 0 && memmem(log, (size_t)len, text, strlen(text));
}

/* A module of /lib/modules; -ENOENT if there is none, since the kernel has it built in. */
static int load(const char *path)
{
	int fd = sys(open(path, O_RDONLY | O_CLOEXEC));
	int ret;

	if (fd < 0)
		return fd;
	ret = sys(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return ret;
}

int main(int argc, char **argv)
{
	struct stat node;

	tap_start(argc, argv);
	if (tap_kernel) {
		tap_skip("the kernel has no isolation groups");
		return tap_done();
	}
	load("/lib/modules/irqbypass.ko");	/* which vfio.ko needs */
	is(load("/lib/modules/vfio.ko"), -EINVAL, "the module does not load: EINVAL");
	ok(log_has("/isolation-groups/nobody: no devices property"), "the log says which node it is");
	ok(stat("/dev/vfio/vfio", &node), "there is no /dev/vfio/vfio");
	is(load("/lib/modules/vfio.ko"), -EINVAL, "nor does it load when asked again");
	return tap_done();
}
