#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# A member of an isolation set, while a host driver has its mate and after: what the user of the command
# and of the example is told. Then the example on the other kinds of device.

. check.sh
logs=/tmp/out

# out COMMAND...: keep what it says, and its status
out() {
	"$@" >/tmp/out 2>&1
	status=$?
}

says() {
	grep -q -e "$1" /tmp/out
}

succeeded() {
	[ "$status" = 0 ]
}

failed() {
	[ "$status" = 1 ]
}

devices=/sys/bus/platform/devices

driver() {
	basename "$(readlink "$devices/$1/driver")"
}

out evfio bind 10200000.edu
check "bind of a set's member" succeeded
echo simple-pm-bus >$devices/10300000.edu/driver_override
echo 10300000.edu >/sys/bus/platform/drivers_probe
check "a host driver takes its mate" [ "$(driver 10300000.edu)" = simple-pm-bus ]
out edu 10200000.edu
check "the example fails" failed
check "it says which mate is where" says '10300000.edu is bound to simple-pm-bus'
out evfio info 10200000.edu
check "info says so too" says '10300000.edu is bound to simple-pm-bus'
out evfio bind 10300000.edu
check "bind takes the mate from its driver" succeeded
check "it is vfio-platform's now" [ "$(driver 10300000.edu)" = vfio-platform ]
out edu 10200000.edu
check "the example succeeds" succeeded
out edu 10300000.edu
check "it does on the mate, which is not coherent" succeeded

out evfio bind 10100000.edu
check "bind of the device with clock and reset" succeeded
out edu 10100000.edu
check "the example succeeds on it, with an edge-triggered interrupt" succeeded

out evfio unbind 10100000.edu 10200000.edu 10300000.edu
check "unbind of all" succeeded
check "no group node is left" [ "$(ls /dev/vfio)" = vfio ]

checked
