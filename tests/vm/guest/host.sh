#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# What the host lives on: evfio bind does not take a disk with a mounted file system, unless by force.
#
# vm: board=pci bind=no stock="nvme crc32c_generic ext4" kernels="6.12"

disk=0000:00:02.0
shared=0000:00:07.0		# of a subsystem that may have several controllers
. check.sh

# comes FILE: it is there soon
comes() {
	local i=0
	while [ ! -e "$1" ] && [ "$i" -lt 50 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	[ -e "$1" ]
}

# block FILE...: the name of the one that is there
block() {
	basename "$1"
}

mkdir /mnt
plain=$(block /sys/bus/pci/devices/$disk/nvme/nvme*/nvme*n1)
check 'the disk is there' comes "/dev/$plain"
check 'a file system on it' mke2fs "/dev/$plain"
check 'is mounted' mount -t ext4 "/dev/$plain" /mnt
refuses "$disk has the disk of what is mounted on /mnt: \`evfio bind --force $disk\`" \
	'bind leaves it alone' evfio bind $disk
check 'it works' touch /mnt/file
check 'it is not mounted any more' umount /mnt
has 'bound to vfio-pci, group' 'bind takes it' evfio bind $disk

many=$(block /sys/devices/virtual/nvme-subsystem/nvme-subsys*/nvme*n1)
check 'a disk that may have several controllers is there' comes "/dev/$many"
check 'a file system on it' mke2fs "/dev/$many"
check 'is mounted' mount -t ext4 "/dev/$many" /mnt
refuses "$shared has the disk of what is mounted on /mnt" 'bind leaves its controller alone' \
	evfio bind $shared
has 'bound to vfio-pci, group' 'but by force it takes it' evfio bind --force $shared
checked
