#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Puts beside the images the machine's device tree, which is QEMU's own with dts/qemu-virt/evfio.dtso
# merged in, and the script that starts the machine.
#
#	post-image.sh DIRECTORY-OF-IMAGES

set -eu

images=$1
board=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

install -m 755 "$board/start-qemu.sh" "$images/"
"$images/start-qemu.sh" --dumpdtb "$tmp/base.dtb"

# The overlay refers to nodes by labels, which QEMU's tree has not.
fdtput -c "$tmp/base.dtb" /__symbols__
while read -r label node; do
	fdtput -t s "$tmp/base.dtb" /__symbols__ "$label" "$node"
done <<-END
	gic /intc@8000000
	its /intc@8000000/its@8080000
	smmu /smmuv3@9050000
	pl061 /pl061@9030000
	apb_pclk /apb-pclk
END
dtc -q -@ -I dts -O dtb -o "$tmp/overlay.dtbo" "$board/../../../dts/qemu-virt/evfio.dtso"
fdtoverlay -i "$tmp/base.dtb" -o "$images/board.dtb" "$tmp/overlay.dtbo"
