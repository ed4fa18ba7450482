#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Points of TAP for scripts in a guest, which begin with ". check.sh" and end with "checked".

count=0
bad=0
logs=		# what to show when a point fails

# check NAME COMMAND...: a point that is good if the command succeeds
check() {
	local point="$1"
	shift
	count=$((count + 1))
	if "$@" >/tmp/checked 2>&1; then
		echo "ok $count - $point"
	else
		echo "not ok $count - $point"
		# shellcheck disable=SC2086 # names
		sed 's/^/# /' /tmp/checked $logs
		bad=1
	fi
}

# has TEXT NAME COMMAND...: the command succeeds and prints the text; all that it prints is in /tmp/said
has() {
	answers 0 "$@"
}

# refuses TEXT NAME COMMAND...: it fails, and prints the text
refuses() {
	answers 1 "$@"
}

answers() {
	local wanted="$1" text="$2" point="$3"
	shift 3
	check "$point" answer "$@"
}

answer() {
	local status
	"$@" >/tmp/said 2>&1
	status=$?
	cat /tmp/said
	[ $status = "$wanted" ] && grep -qF -- "$text" /tmp/said
}

checked() {
	echo "1..$count"
	exit $bad
}

# dpdk_drivers: of DPDK's hundred and more, two and those that it is linked with: it would load them all, for
# most of a minute.
dpdk_drivers() {
	local drivers
	mkdir /tmp/drivers /tmp/all
	drivers=$(echo /clients/usr/lib/*/dpdk/pmds-*)
	mount -o bind "$drivers" /clients/tmp/all
	cp -P "$drivers"/librte_mempool_ring.* "$drivers"/librte_net_e1000.* /tmp/drivers
	mount -o bind /tmp/drivers "$drivers"
	export LD_LIBRARY_PATH=/tmp/all
}
