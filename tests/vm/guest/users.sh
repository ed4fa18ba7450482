#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What docs/users.md says, with mdev: members of the group vfio use a device, others do not.
#
# vm: files="tools/mdev.conf"

. check.sh

mkdir -p /etc
printf '%s:x:%s:%s::/:/bin/sh\n' root 0 0 driver 1000 1000 other 2000 2000 >/etc/passwd
printf '%s:x:%s:%s\n' root 0 '' vfio 500 driver >/etc/group
{ cat /bin/mdev.conf; echo '.* root:root 666'; } >/etc/mdev.conf

# node FILE: how it may be used, and whose it is
node() {
	stat -c '%a %u %g' "$1"
}

evfio bind 10000000.edu >/dev/null || echo "Bail out! cannot bind the device"
number=$(basename "$(readlink /sys/bus/platform/devices/10000000.edu/iommu_group)")
has '600 0 0' 'the kernel makes a node for root' node "/dev/vfio/$number"
refuses "no permission on /dev/vfio/$number" 'and nobody else' su driver -c 'evfio regs 10000000.edu +0'

# event NAME DEVICE: as the kernel says that there is a device, and what its node is
event() {
	ACTION=add SUBSYSTEM=vfio DEVNAME="vfio/$1" DEVPATH="$2" mdev
}

check 'mdev is told of it' event "$number" "/class/vfio/$number"
has '660 0 500' "it is vfio's now" node "/dev/vfio/$number"
has '0x010000ed' 'a member of vfio drives the device' su driver -c 'evfio regs 10000000.edu +0'
refuses "no permission on /dev/vfio/$number" 'somebody else does not' su other -c 'evfio regs 10000000.edu +0'

# No device is without an IOMMU here: another one's numbers will do.
check 'mdev is told of one without an IOMMU' event noiommu-7 /class/misc/vfio
has '600 0 0' "that is root's" node /dev/vfio/noiommu-7

chown 0:0 "/dev/vfio/$number"
chmod 600 "/dev/vfio/$number" /dev/vfio/vfio
check 'mdev -s' mdev -s
has '660 0 500' "it is vfio's again" node "/dev/vfio/$number"
has '666 0 0' 'and the container is everybody'\''s' node /dev/vfio/vfio
check 'there are no nodes of these names elsewhere' [ ! -e "/dev/$number" ]
has '0x010000ed' 'a member of vfio drives the device' su driver -c 'evfio regs 10000000.edu +0'
checked
