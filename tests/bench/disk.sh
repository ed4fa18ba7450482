#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# One disk, by examples/virtio-blk.c and by the kernel's own driver: so many requests of so many bytes at a time.
# First MIB are moved, half of them written and half of them read, and compared; then the two take turns, and the
# median of the ratios counts.
#
#	disk.sh [MIB [DEPTH [BYTES [RATE-MIB]]]]

# shellcheck disable=SC2086 # numbers and names

mib=$((${1:-1024} / 2))
rate_mib=${4:-512}
depth=${2:-32}
bytes=${3:-65536}
sectors=$((mib * 2048))
disk=a000000.virtio_mmio
. check.sh

evfio_rate() { # COMMAND
	virtio-blk --depth=$depth --size=$bytes $disk "$1" 0 $((rate_mib * 2048)) 2>&1 | sed 's/.* \(.*\) MiB.*/\1/'
}

echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
evfio bind $disk >/dev/null
echo "# $depth requests of $bytes bytes at a time; MiB/s"
check "$mib MiB written" virtio-blk --depth=$depth --size=$bytes $disk fill 0 $sectors
check "and read, and each word is right" virtio-blk --depth=$depth --size=$bytes $disk verify 0 $sectors
evfio unbind $disk >/dev/null
for way in read write; do
	: >/tmp/ratios
	for _ in 1 2 3 4 5; do
		kernel=$(disk $way "/dev/$(ls /sys/devices/platform/$disk/virtio*/block)" $bytes $depth $rate_mib)
		evfio bind $disk >/dev/null
		ours=$(evfio_rate bench-$way)
		evfio unbind $disk >/dev/null
		echo "# $way: kernel $kernel, virtio-blk $ours"
		echo "$ours $kernel" | awk '{ printf "%.2f\n", $1 / $2 }' >>/tmp/ratios
	done
	ratio=$(sort -n /tmp/ratios | sed -n 3p)
	check "$way: $ratio of the kernel's throughput, at least 0.5" awk "BEGIN { exit !($ratio >= 0.5) }"
done
checked
