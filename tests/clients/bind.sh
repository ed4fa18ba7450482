#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# driverctl and dpdk-devbind take functions from their drivers, give them to vfio-pci, and back.
#
# vm: board=pci bind=no stock="e1000e nvme" timeout=300

. check.sh
logs=/tmp/out

# run COMMAND...: one of Debian's; what it says is kept, and its status
run() {
	chroot /clients "$@" >/tmp/out 2>&1
	status=$?
}

driver() {
	basename "$(readlink "/sys/bus/pci/devices/$1/driver")"
}

group() {
	basename "$(readlink "/sys/bus/pci/devices/$1/iommu_group")"
}

nic=0000:00:03.0
far=0000:01:00.0
nvme=0000:00:02.0
saved=/clients/etc/driverctl.d

# driverctl has modprobe load what is loaded already: modprobe wants to find it.
mkdir "/lib/modules/$(uname -r)"
ln /lib/modules/*.ko "/lib/modules/$(uname -r)"
mount -o bind /lib/modules /clients/lib/modules
chroot /clients /sbin/depmod
mount -t tmpfs tmpfs $saved
cd / || exit
# A host driver probes in its own time.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(driver $nic)$(driver $far)$(driver $nvme)" != e1000ee1000envme ] || break
	sleep 1
done
check "the kernel's drivers have both network controllers" [ "$(driver $nic)$(driver $far)" = e1000ee1000e ]
check "and the disk" [ "$(driver $nvme)" = nvme ]

run driverctl set-override $nic vfio-pci
check "driverctl set-override" [ "$status" = 0 ]
check "vfio-pci has the function" [ "$(driver $nic)" = vfio-pci ]
check "there is a node for its group" [ -c "/dev/vfio/$(group $nic)" ]
check "the other one is where it was" [ "$(driver $far)" = e1000e ]
check "the choice is kept" [ "$(cat $saved/pci-$nic)" = vfio-pci ]
run driverctl list-overrides
check "driverctl lists it" grep -qx "$nic vfio-pci" /tmp/out
run driverctl unset-override $nic
check "driverctl unset-override" [ "$status" = 0 ]
check "the kernel's driver has it again" [ "$(driver $nic)" = e1000e ]
check "the node is gone" [ ! -e "/dev/vfio/$(group $nic)" ]
echo vfio-pci >$saved/pci-$nvme
run driverctl load-override $nvme
check "driverctl load-override, as udev calls it" [ "$status" = 0 ]
check "vfio-pci has the disk" [ "$(driver $nvme)" = vfio-pci ]
run driverctl unset-override $nvme
check "the kernel's driver has it again" [ "$(driver $nvme)" = nvme ]

run dpdk-devbind.py -b vfio-pci $nic $far
check "dpdk-devbind binds two at once" [ "$status" = 0 ]
check "vfio-pci has both" [ "$(driver $nic)$(driver $far)" = vfio-pcivfio-pci ]
run dpdk-devbind.py -s
check "dpdk-devbind lists them as DPDK's" grep -q "$far .*drv=vfio-pci unused=" /tmp/out
run dpdk-devbind.py -b e1000e $nic $far
check "dpdk-devbind gives them back" [ "$(driver $nic)$(driver $far)" = e1000ee1000e ]
checked
