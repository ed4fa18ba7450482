#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A device whose clock or reset controller is not there yet is bound when that comes, and not before.
#
# vm: cmdline="fw_devlink=off"
#
# (Otherwise the kernel itself holds a device back until its suppliers have drivers.)

device=10100000.edu
drivers=/sys/bus/platform/drivers
. check.sh

bound() {
	[ -e "$drivers/vfio-platform/$device" ]
}

unbound() {
	! bound
}

deferred() {
	grep -q "^$device" /sys/kernel/debug/devices_deferred
}

# Deferred devices are tried again by a worker.
soon() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		bound && return
		sleep 0.1
	done
	return 1
}

echo vfio-platform >/sys/bus/platform/devices/$device/driver_override

without() { # WHAT DRIVER SUPPLIER
	check "$1: the supplier has a driver" [ -e "$drivers/$2/$3" ]
	echo "$3" >"$drivers/$2/unbind"
	echo $device >/sys/bus/platform/drivers_probe
	check "$1: without it the device is not bound" unbound
	check "$1: but waits" deferred
	echo "$3" >"$drivers/$2/bind"
	check "$1: it is bound as soon as the supplier is back" soon
	echo $device >$drivers/vfio-platform/unbind
}

without clock gpio-clk edu-clock
without reset simple-reset 10400000.reset-controller

checked
