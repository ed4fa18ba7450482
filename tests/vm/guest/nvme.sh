#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The driver for NVMe disks in examples/, on the disk as a PCI function and as a platform device: all that it
# reads and writes is compared.
#
# vm: board=pci bind=no
# vm: board=platform

blocks=2048		# of the disk, 512 bytes each
if [ -e /sys/bus/pci/devices/0000:00:02.0 ]; then
	disk=0000:00:02.0
	edu=0000:00:01.0
else
	disk=10500000.nvme
	edu=10000000.edu
fi
. check.sh

# The disk holds words that are their own offsets: do these blocks?
reads() { # BLOCK COUNT [OPTION]
	# shellcheck disable=SC2086
	nvme $3 $disk read "$1" "$2" >/tmp/blocks && od -An -v -td8 /tmp/blocks |
		awk -v at=$(($1 * 512)) -v left=$(($2 * 64)) '
		{ for (i = 1; i <= NF; i++, at += 8, left--) if ($i != at) { print $i, at; exit } }
		END { exit left != 0 }'
}

# All of the disk, as board.py's words() makes it.
reads_all() { # [OPTION]
	# shellcheck disable=SC2086
	nvme $1 $disk read 0 $blocks >/tmp/disk && md5sum /tmp/disk | grep bdc8bf36dace44ddc6eab9c621918513
}

has 'bound to vfio-' "bind $disk" evfio bind $disk $edu
has 'serial     disk' 'identify' nvme $disk
has "1: $blocks blocks of 512 bytes" 'its size, polled' nvme --poll $disk
check 'read the whole disk' reads_all
check 'polled' reads_all --poll
check 'read one block' reads 77 1
check 'read two pages' reads 1 16
check 'three' reads 1 24
check 'read the last block' reads $((blocks - 1)) 1 --poll
refuses "the disk ends at block $blocks" 'not beyond' nvme $disk read $((blocks - 1)) 2
dd if=/bin/edu of=/tmp/new bs=512 count=300 2>/dev/null
check 'write 300 blocks' sh -c "nvme $disk write 1000 </tmp/new"
dd if=/tmp/new of=/tmp/disk bs=512 seek=1000 conv=notrunc 2>/dev/null
nvme $disk read 0 $blocks >/tmp/blocks
check 'they are on the disk, and all others as they were' cmp /tmp/disk /tmp/blocks
echo short >/tmp/short
refuses 'no whole blocks' 'half a block is not written' sh -c "nvme $disk write 0 </tmp/short"
refuses 'no pages of 4 KiB' 'what is no disk' nvme $edu
has 'given back to no driver' 'unbind' evfio unbind $disk $edu
checked
