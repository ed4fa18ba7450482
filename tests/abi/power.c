// SPDX-License-Identifier: GPL-2.0-only
/*
 * power - a device's clock runs and its reset line is released while it is open, and only then
 *
 * 10100000.edu has a clock whose gate is line 5 of the machine's GPIO block (PL061), and a reset
 * line that is bit 5 of the word at 0x10400000, set while it is asserted. Both are read back here.
 */
/* vm: timeout=120 */
/* vm: timeout=120 iommu=no params="vfio.enable_unsafe_noiommu_mode=1" kernels="6.1-armhf" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define GPIO_BASE	0x09030000
#define RESET_BASE	0x10400000
#define LINE		5u

static volatile uint32_t *gpio, *reset;

/* The PL061's data register is read through a mask in the address (ARM DDI 0190, 3.3.1). */
static bool clock_runs(void)
{
	return gpio[1u << LINE] != 0;
}

static bool held_in_reset(void)
{
	return reset[0] >> LINE & 1;
}

static long clock_count(const char *which)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/clk/edu-clock/clk_%s_count", which);
	return strtol(file_read(path), NULL, 0);
}

static void is_on(const char *when)
{
	ok(clock_runs(), "%s: the clock's gate is open", when);
	is(clock_count("prepare"), 1, "%s: the clock is prepared once", when);
	is(clock_count("enable"), 1, "%s: and enabled once", when);
	ok(!held_in_reset(), "%s: the reset line is released", when);
}

static void is_off(const char *when)
{
	ok(!clock_runs(), "%s: the clock's gate is shut", when);
	is(clock_count("prepare"), 0, "%s: the clock is not prepared", when);
	is(clock_count("enable"), 0, "%s: nor enabled", when);
	ok(held_in_reset(), "%s: the reset line is asserted", when);
}

static void open_and_close(void)
{
	struct dev d;
	int second;

	board_take(EDU1);
	ok(!clock_runs(), "bound, but not open: the clock's gate is shut");
	is(clock_count("enable"), 0, "bound, but not open: the clock is not enabled");
	dev_open(&d, EDU1);
	is_on("open");
	second = device_fd(d.group, EDU1);
	is_on("open twice");
	close(second);
	is_on("closed once");
	is(dev_read(&d, EDU_REG_ID), EDU_ID, "the device answers");
	dev_close(&d);
	is_off("closed");
	dev_open(&d, EDU1);
	is_on("open again");
	close(d.group);
	close(d.container);
	close(d.fd);
	is_on("closed, but still mapped");
	munmap((void *)d.regs, d.size);
	is_off("unmapped");
}

static volatile bool watching;

/*
 * How often the line was seen asserted: a reset is short, so look without pause. The machine may be
 * busy with something else for a second.
 */
static void *watch(void *arg)
{
	long *seen = arg;

	while (watching)
		if (held_in_reset())
			(*seen)++;
	return NULL;
}

static void resets(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	long seen = 0;
	pthread_t thread;
	struct dev d;
	int ret = 0;

	dev_open(&d, EDU1);
	is(xioctl(d.fd, VFIO_DEVICE_GET_INFO, &info), 0, "GET_INFO");
	ok(info.flags & VFIO_DEVICE_FLAGS_RESET, "with a reset line there is FLAGS_RESET");
	watching = true;
	pthread_create(&thread, NULL, watch, &seen);
	for (int i = 0; i < 200000 && !ret && !seen; i++)
		ret = xioctl(d.fd, VFIO_DEVICE_RESET, NULL);
	watching = false;
	pthread_join(thread, NULL);
	is(ret, 0, "RESET works");
	ok(seen > 0, "the reset line has been seen asserted");
	is_on("after RESET");
	is(dev_read(&d, EDU_REG_ID), EDU_ID, "mappings still show the device");
	dev_close(&d);

	dev_open(&d, EDU0);
	is(xioctl(d.fd, VFIO_DEVICE_GET_INFO, &info), 0, "GET_INFO");
	ok(!(info.flags & VFIO_DEVICE_FLAGS_RESET), "without a reset line there is no FLAGS_RESET");
	is(xioctl(d.fd, VFIO_DEVICE_RESET, NULL), -EINVAL, "and RESET is EINVAL");
	dev_close(&d);
}

static void killed(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		tap_bail("pipe: %m");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct dev d;

		dev_open(&d, EDU1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	is(read(ready[0], &byte, 1), 1, "another process opens the device");
	is_on("open elsewhere");
	kill(pid, SIGKILL);
	is(child_wait(pid), -SIGKILL, "it is killed");
	is_off("killed");
	close(ready[0]);
}

static void unbound(void)
{
	struct dev d;

	board_grace(50);
	dev_open(&d, EDU1);
	is(board_unbind(EDU1), 0, "the device is unbound while it is open");
	is_off("revoked");
	dev_close(&d);
	is_off("revoked and closed");
	dev_open(&d, EDU1);
	is_on("bound and opened again");
	dev_close(&d);
	is_off("closed");
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	if (tap_kernel) {
		tap_skip("the kernel's vfio-platform knows neither clocks nor reset lines");
		return tap_done();
	}
	gpio = mem_physical(GPIO_BASE);
	reset = mem_physical(RESET_BASE);
	open_and_close();
	resets();
	killed();
	unbound();
	return tap_done();
}
