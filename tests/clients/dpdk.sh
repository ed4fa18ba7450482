#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# DPDK's testpmd on the two ends of a cable: every packet that one sends comes in at the other, is sent
# back, and so on, each direction at its own pace; what it counted is looked at when it has been told to
# stop. With the argument "rate" it is a row of tests/bench instead: what a packet costs, where a clock
# counts instructions.
#
# Not with pages of 16 KiB: there a huge page has 32 MiB, and DPDK finds none that it could use.
#
# With the argument "pa" without an IOMMU: DPDK tells the controllers physical addresses.
#
# vm: board=pci memory=1G timeout=180 kernels="6.1 6.12 7.2 6.12-sanitize"
# vm: board=pci iommu=no args=pa params="vfio.enable_unsafe_noiommu_mode=1" memory=1G timeout=120 kernels="6.1 6.12 7.2 6.12-sanitize"

. check.sh
logs=/tmp/out

# total COLUMN: of both ports, from what testpmd says at its end
total() {
	sed -n '/Accumulated forward statistics/,$s/.*'"$1"': *\([0-9]*\).*/\1/p' /tmp/out | grep . || echo 0
}

# launch LCORES OPTION...: testpmd, which forwards, and is told what to do by way of descriptor 3
launch() {
	lcores=$1
	shift
	mkfifo /tmp/in
	chroot /clients dpdk-testpmd ${mode:+"$mode"} --lcores "$lcores" -n 1 --no-telemetry -a 0000:00:03.0 -a 0000:01:00.0 \
		-- -i --nb-cores=1 --total-num-mbufs=4096 "$@" </tmp/in >/tmp/out 2>&1 &
	exec 3>/tmp/in
	echo "start tx_first" >&3
}

land() {
	printf 'stop\nquit\n' >&3
	wait $!
	status=$?
	exec 3>&-
	rm /tmp/in
}

# testpmd PACKETS OPTION...: let it forward until so many have come in
testpmd() {
	enough=$1
	shift
	launch 0,1 "$@"
	while kill -0 $! 2>/dev/null && [ "$(received)" -lt "$enough" ]; do
		sleep 1
		echo "show port stats 0" >&3
	done
	land
	echo "# $*: $(total RX-packets) packets received, $(total TX-packets) sent"
}

# All on one processor, between two looks at its own figures, the first when it has found its pace.
rate() {
	launch 0@0,1@0 --forward-mode=io
	until [ "$(received)" -gt 1000 ]; do
		sleep 1
		echo "show port stats 0" >&3
	done
	echo "show port stats all" >&3
	sleep 4
	echo "show port stats all" >&3
	sleep 1
	land
	sed -n 's/.*Rx-pps: *\([0-9]*\) .*/\1/p' /tmp/out | tail -n 2 |
		awk '{ n += $1 } END { printf "a packet by DPDK, e1000e\tinstructions\t%.1f\n", 1e9 / n }'
}

# The newest count of port 0.
received() {
	sed -n 's/.*RX-packets: *\([0-9]*\) .*/\1/p' /tmp/out | tail -n 1 | grep . || echo 0
}

cd / || exit
trap "" PIPE
echo 64 >/proc/sys/vm/nr_hugepages

dpdk_drivers

mode=
[ "$1" != pa ] || mode=--iova-mode=pa
if [ "$1" = rate ]; then
	rate
	exit
fi
testpmd 10000 --forward-mode=io
check "testpmd ends as it is told to" [ "$status" = 0 ]
check "it has driven both network controllers" \
	[ "$(grep -c '^Port [01] is closed' /tmp/out)" = 2 ]
check "by way of VFIO" grep -q "VFIO support initialized" /tmp/out
check "10000 packets have come in" [ "$(total RX-packets)" -ge 10000 ]
check "and as many have been sent" \
	[ $(($(total TX-packets) - $(total RX-packets))) -le 64 ]
check "none was dropped" [ "$(total RX-dropped)$(total TX-dropped)" = 00 ]

testpmd 1000 --forward-mode=macswap --rxq=1 --txq=1
check "a second run has both controllers again" [ "$(total RX-packets)" -ge 1000 ]
checked
