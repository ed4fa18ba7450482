#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The machine that the image is for: QEMU's virt board with an SMMUv3, and behind it devices that
# the device tree describes as platform devices (dts/qemu-virt/evfio.dtso). Lies with the images.
#
#	start-qemu.sh [QEMU ARGUMENT...]	boots the image; the console is this terminal, Ctrl-a x ends it
#	start-qemu.sh --dumpdtb FILE		writes the device tree that QEMU makes by itself

set -eu

cd "$(dirname "$0")"
PATH=$PWD/../host/bin:$PATH		# QEMU as Buildroot built it, if it did

machine=virt-7.2,iommu=smmuv3,gic-version=3
set -- "$@" -cpu cortex-a53 -smp 2 -m 256M -nodefaults -display none

if [ "$1" = --dumpdtb ]; then
	file=$2
	shift 2
	exec qemu-system-aarch64 -M "$machine,dumpdtb=$file" "$@"
fi

# What the NVMe controller keeps.
[ -e disk.img ] || truncate -s 1M disk.img

edu=edu,dma_mask=0xffffffffffff
exec qemu-system-aarch64 -M "$machine" "$@" -serial mon:stdio \
	-kernel Image -initrd rootfs.cpio.gz -dtb board.dtb -append console=ttyAMA0 \
	-object memory-backend-ram,id=reset,size=1M,share=on \
	-drive if=none,id=disk,format=raw,file=disk.img \
	-device $edu,addr=02.0 -device $edu,addr=03.0 \
	-device $edu,addr=04.0 -device $edu,addr=05.0 \
	-device ivshmem-plain,memdev=reset,addr=06.0 \
	-device nvme,serial=disk,drive=disk,addr=09.0
