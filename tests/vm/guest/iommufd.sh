#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The library where a kernel has no containers but iommufd: on the kernel's own VFIO, without the container's node.
#
# vm: modules=kernel params="vfio-platform.reset_required=0" kernels="6.12-sanitize 6.12-plain" args="10000000.edu 10100000.edu" alone=yes
# vm: modules=kernel board=pci kernels="6.12-sanitize 6.12-plain" args="0000:00:01.0 0000:02:01.0" stock=nvme alone=yes

. check.sh

first=$1
second=$2

# node DEVICE: its own
node() {
	echo "/dev/vfio/devices/$(basename /sys/bus/*/devices/"$1"/vfio-dev/vfio*)"
}

# doctor TEXT COMMAND: says the text of the first device; in all, there is an obstacle
doctor() {
	check 'evfio doctor knows' sh -c "$2 >/tmp/said; [ \$? = 3 ] && grep -F '$1' /tmp/said"
}

# pinned: pages, in all of the machine
pinned() {
	awk '/^nr_foll_pin_acquired / { had = $2 } /^nr_foll_pin_released / { gone = $2 } END { print had - gone }' /proc/vmstat
}

mkdir -p /etc
printf '%s:x:%s:%s::/:/bin/sh\n' root 0 0 driver 1000 1000 >/etc/passwd
before=$(pinned)
rm /dev/vfio/vfio
has 'bound to vfio-' 'evfio bind waits for a node that comes' evfio bind "$first" "$second"
case $first in
*.edu) refuses 'set allow_unsafe_interrupts=1 of iommufd' 'its interrupts are not isolated' evfio regs "$first" +0 ;;
esac
echo 1 >/sys/module/iommufd/parameters/allow_unsafe_interrupts
has '0x010000ed' 'a register' evfio regs "$first" +0
has 'iova range   0x8100000 - 0x' 'what can be mapped' evfio info "$first"
for text in '10! = 3628800, announced by an interrupt' 'all 4080 bytes are equal' 'memory untouched'; do
	has "$text" "the edu example: $text" edu "$first"
done
has 'unmapped in' 'evfio dma test' evfio dma test "$first"
check 'the library, with two devices' board-iommufd "$first" "$second"
sed 's/^/# /' /tmp/checked

evfio irq watch --timeout 2000 "$first" >/dev/null 2>&1 &
sleep 1
refuses "device $first is in use by pid $! (evfio)" 'a device that another program has' evfio regs "$first" +0
doctor "as root: kill $!" "evfio doctor $first"
kill $!
wait
has '0x010000ed' 'and that has been closed' evfio regs "$first" +0

refuses 'cannot open /dev/iommu: Permission denied' 'a user who may not have /dev/iommu' su driver -c "evfio regs $first +0"
doctor 'chmod 666 /dev/iommu' "su driver -c 'evfio doctor $first'"
chmod 666 /dev/iommu
refuses "no permission on $(node "$first")" 'a user who may not have the device' su driver -c "evfio regs $first +0"
doctor 'SUBSYSTEM=="vfio-dev", KERNEL=="vfio[0-9]*"' "su driver -c 'evfio doctor $first'"
chown driver "$(node "$first")"
has '0x010000ed' 'a user who may' su driver -c "evfio regs $first +0"
case $first in
0000:*) # A virtual function: its physical one has a host driver, so it is opened without a token.
	pf=0000:00:07.0
	vf=0000:00:07.1
	check 'a host driver takes its physical one' evfio unbind $pf
	echo 0 >/sys/bus/pci/devices/$pf/sriov_drivers_autoprobe
	echo 1 >/sys/bus/pci/devices/$pf/sriov_numvfs
	has 'bound to vfio-' 'a virtual function' evfio bind $vf
	evfio irq watch --timeout 20000 $vf >/dev/null 2>&1 &
	sleep 1
	refuses "device $vf is in use by pid $! (evfio): stop that first" 'evfio sriov remove asks' evfio sriov remove $pf
	kill $!
	wait
	check 'and takes it away when it is free' evfio sriov remove $pf
	;;
esac
check 'nothing is left pinned' [ "$(pinned)" = "$before" ]
checked
