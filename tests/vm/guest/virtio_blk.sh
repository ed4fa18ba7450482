#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The driver for disks on virtio-mmio in examples/, on a machine without an IOMMU: with an interrupt that is a
# level and one that is an edge, the latter not coherent, as far as it knows. What it writes the kernel's own
# driver reads, and the other way round. On the machine with an IOMMU QEMU's transports are of version 1.
#
# vm: iommu=no
# vm: board=platform

# shellcheck disable=SC2086 # words without spaces, and options
level=a000000.virtio_mmio
edge=a000200.virtio_mmio
empty=a000400.virtio_mmio
words=2048		# sectors that hold their own offsets at first; all behind them are zeros
sectors=2097152
. check.sh

echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
if [ -e /sys/bus/platform/drivers/arm-smmu-v3/9050000.smmuv3 ]; then
	check 'bind one of version 1' evfio bind $level
	refuses 'has version 1 of virtio-mmio' 'which is refused' virtio-blk $level
	check 'unbind it' evfio unbind $level
	echo 0 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
	checked
fi

# The kernel's disk on this transport; nothing where its driver is missing, which is on the sanitized kernel.
kernels() {
	ls /sys/devices/platform/$disk/virtio*/block 2>/dev/null
}

# Was that by interrupt? Verifying says so.
interrupts() {
	grep -q ', [1-9][0-9]* interrupts' /tmp/said
}

{
	head -c 512 /dev/zero
	dd if=/bin/virtio-blk bs=512 count=301
	head -c 512 /dev/zero
} >/tmp/wanted 2>/dev/null

for disk in $level $edge; do
	case $disk in
	"$level") kind=' maskable automasked' coherent=yes choices='1:4096 256:512 32:65536' ;;
	"$edge") kind='' coherent=no choices='3:1536' ;;
	esac
	has 'bound to vfio-platform' "bind $disk" evfio bind $disk
	has "coherent     $coherent" 'whether it is coherent' evfio info $disk
	check 'its interrupt' sh -c "evfio info $disk | grep '^interrupt    0: eventfd$kind\$'"
	has "$sectors sectors of 512 bytes" 'its size' virtio-blk $disk
	has "verify: $((words * 512)) bytes" 'what it holds' virtio-blk $disk verify 0 $words
	check 'by interrupt' interrupts
	refuses "the word at byte $((words * 512)) is 0" 'zeros are told from that' \
		virtio-blk $disk verify $((words - 1)) 2
	for choice in $choices; do
		depth=${choice%:*} size=${choice#*:}
		has 'fill: 255488 bytes' "fill, $depth requests of $size bytes at a time" \
			virtio-blk --depth=$depth --size=$size $disk fill 3001 499
		has 'verify: 255488 bytes' 'verify' \
			virtio-blk --depth=$depth --size=$size $disk verify 3001 499
		check 'by interrupt' interrupts
		check 'not one sector more' sh -c \
			"virtio-blk $disk read 3500 1 | cmp -n 512 - /dev/zero"
		has 'bench-write: 255488 bytes' 'write zeros' virtio-blk $disk bench-write 3001 499
	done
	refuses 'the word at byte 1536512 is 0' 'they are there' virtio-blk $disk verify 3001 1
	has 'bench-read: 4194304 bytes' 'read without looking' virtio-blk $disk bench-read 0 8192
	check 'write 303 sectors' sh -c "virtio-blk $disk write 5000 </tmp/wanted"
	check 'read them' sh -c "virtio-blk $disk read 5000 303 | cmp - /tmp/wanted"
	refuses 'no whole sectors' 'half a sector is not written' sh -c "echo | virtio-blk $disk write 0"
	refuses "the disk ends at sector $sectors" 'nor beyond the end' \
		sh -c "virtio-blk $disk write $((sectors - 302)) </tmp/wanted"
	refuses 'is not a number from 0 to 1' 'nor read' virtio-blk $disk read $((sectors - 1)) 2

	# The disk goes on writing to the memory of a driver that is killed, until the next one resets it.
	virtio-blk $disk bench-read 0 $sectors 2>/dev/null &
	sleep 0.3
	check 'one is killed at work' kill -9 $!
	wait $! 2>/dev/null
	has "verify: $((words * 512)) bytes" 'after one that was killed' virtio-blk $disk verify 0 $words
	check 'unbind' evfio unbind $disk
	[ -e /sys/module/virtio_blk ] || continue
	check 'its driver has it again' [ -b "/dev/$(kernels)" ]
	check 'and reads what was written' sh -c \
		"dd if=/dev/$(kernels) bs=512 skip=5000 count=303 iflag=direct | cmp - /tmp/wanted"
	check 'and writes' dd if=/tmp/wanted of="/dev/$(kernels)" bs=512 seek=7000 oflag=direct
	evfio bind $disk >/dev/null
	check 'which is read' sh -c "virtio-blk $disk read 7000 303 | cmp - /tmp/wanted"
	check 'unbind' evfio unbind $disk
done
evfio bind $empty >/dev/null
refuses 'is no disk' 'a transport without a device' virtio-blk $empty
evfio unbind $empty >/dev/null
checked
