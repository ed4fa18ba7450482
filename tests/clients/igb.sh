#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Two of DPDK's testpmd and a network controller with SR-IOV: one has the physical function, the other, who
# knows the token, two virtual ones. These ask the first for their addresses, through the mailbox in their
# registers, and send each other packets through the switch in the controller.
#
# vm: board=pci igb=yes memory=1G timeout=150 kernels="6.12"

. check.sh
logs="/tmp/pf /tmp/vf"

pf=0000:00:0d.0
vf0=0000:00:1d.0
vf1=0000:00:1d.2
dir=/sys/bus/pci/devices
token=11112222-3333-4444-5555-66667777888a
wrong=11112222-3333-4444-5555-66667777888b

# testpmd NAME FD OPTION...: takes commands by that descriptor; what it says is in /tmp/NAME
testpmd() {
	name=$1
	fd=$2
	shift 2
	rm -f "/tmp/$name.in"
	mkfifo "/tmp/$name.in"
	chroot /clients dpdk-testpmd --lcores 0,1 -n 1 --no-telemetry --file-prefix "$name" "$@" \
		-- -i --nb-cores=1 --total-num-mbufs=4096 --forward-mode=mac <"/tmp/$name.in" >"/tmp/$name" 2>&1 &
	eval "exec $fd>/tmp/$name.in"
}

vfs() { # OPTION...
	testpmd vf 3 -a $vf0 -a $vf1 "$@"
}

# comes TEXT NAME: it says so before long
comes() {
	left=100
	until grep -q -- "$1" "/tmp/$2"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 1
	done
}

# The virtual functions are not for who started this.
turned_away() {
	echo quit >&3
	wait $! && grep -q "Getting a vfio_dev_fd for $vf0 failed" /tmp/vf &&
		grep -q "No probed ethernet devices" /tmp/vf
}

address() { # PORT
	sed -n "s/^Port $1: \(..:..:..:..:..:..\)$/\1/p" /tmp/vf
}

# The newest count of a port.
received() {
	sed -n "/NIC statistics for port $1/,/TX-packets/s/.*RX-packets: *\([0-9]*\) .*/\1/p" /tmp/vf |
		tail -n 1 | grep . || echo 0
}

both_received() { # COUNT
	left=100
	until [ "$(received 0)" -ge "$1" ] && [ "$(received 1)" -ge "$1" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 1
		echo "show port stats all" >&3
	done
}

cd / || exit
trap "" PIPE
echo 128 >/proc/sys/vm/nr_hugepages
echo 1 >/sys/module/vfio_pci/parameters/enable_sriov

dpdk_drivers

has "bound to vfio-pci" "the physical function is bound" evfio bind $pf
has "$vf1: bound to vfio-pci" "so are its virtual ones, as they are made" evfio sriov create $pf 2
testpmd pf 4 -a $pf --vfio-vf-token $token
owner=$!
check "a process has the physical function" comes "Port 0: " pf

# With another it tries, and then with none.
vfs --vfio-vf-token $wrong
check "one without the token gets no virtual one" turned_away
vfs --vfio-vf-token $token
check "one with it gets both" comes "Port 1: " vf
check "its driver is that of virtual functions" grep -q "Probe PCI driver: net_e1000_igb_vf" /tmp/vf
check "the owner of the physical one has given them addresses" [ "$(address 0)" != "$(address 1)" ]
cat >&3 <<END
set eth-peer 0 $(address 1)
set eth-peer 1 $(address 0)
start tx_first
END
check "packets go from each to the other" both_received 1000
# It cannot be asked to end: on the kernel's own VFIO, too, it hangs in stopping a port of QEMU's.
kill -9 $! $owner
wait
check "both are killed, and the virtual functions go" evfio sriov remove $pf
check "all of them" [ ! -e $dir/$vf0 ]
checked
