#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# QEMU with KVM in the guest: a guest in the guest is given an nvme and an edu by -device vfio-pci. Its
# kernel's own driver reads the disk, by DMA and MSI-X; its shell has the edu's DMA engine copy memory.
# Then QEMU is killed and started again, and the nvme is unplugged under its guest.
#
# With GICv4 the nvme's interrupts go to its guest, and the host does not hear of them.
#
# Not on the sanitized kernel, which has no KVM: with its checks an emulated hypervisor is too slow.
#
# vm: board=pci kvm=yes stock=nvme memory=2G timeout=300 args=hears kernels="6.1 7.2-16k"
# vm: board=pci kvm=yes stock=nvme memory=2G timeout=300 args=sleeps gic=4 cmdline="kvm-arm.vgic_v4_enable=1" kernels="6.12 7.2"

. check.sh
logs="/tmp/out /tmp/monitor"

# says TEXT: a line of the inner guest
says() {
	grep -qx "$1" /tmp/out
}

# within SECONDS COMMAND...: succeeds in that time
within() {
	left=$1
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 1
	done
}

cd / || exit
mkdir -p /tmp/inner/bin /tmp/inner/dev /tmp/inner/proc /tmp/inner/sys /tmp/inner/lib
cp /bin/busybox /tmp/inner/bin
sed '/^nvme\.ko/q' /vm/modules >/tmp/inner/modules	# nvme's come first, in their order
while read -r module; do
	cp "/lib/modules/$module" /tmp/inner/lib
done </tmp/inner/modules
cat >/tmp/inner/init <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
stty -onlcr
while read -r module; do
	insmod "/lib/$module"
done </modules
i=0
while [ ! -b /dev/nvme0n1 ] && [ $i -lt 60 ]; do
	sleep 1
	i=$((i + 1))
done
echo "disk $(md5sum </dev/nvme0n1)"
echo "vectors $(grep -c nvme0q /proc/interrupts)"
echo "fired $(awk '/nvme0q1/ { print ($2 > 0) }' /proc/interrupts)"

# The edu: the shell writes memory that the kernel has been told not to use, and reads what came back.
edu=/sys/bus/pci/devices/$(cat /sys/bus/pci/devices/*/uevent | sed -n '/PCI_ID=1234:11E8/,$s/PCI_SLOT_NAME=//p' | head -n 1)
echo 1 >$edu/enable
printf '\006' | dd of=$edu/config bs=1 seek=4 conv=notrunc 2>/dev/null
base=$(awk 'NR == 1 { print $1 }' $edu/resource)
reg() {
	devmem $((base + $1)) 32 $2
}
echo "edu $(reg 0)"
ram=0x4e000000
devmem $ram 32 0x12345678
devmem $((ram + 0x1000)) 32 0
copy() {	# FROM TO COMMAND
	reg 0x80 $1; reg 0x84 0; reg 0x88 $2; reg 0x8c 0; reg 0x90 4; reg 0x94 0; reg 0x98 $3; reg 0x9c 0
	sleep 1
}
copy $ram 0x40000 1
copy 0x40000 $((ram + 0x1000)) 3
echo "copied $(devmem $((ram + 0x1000)) 32)"
while [ "$wait" ] && [ -b /dev/nvme0n1 ]; do
	sleep 1
done
echo "disk gone: $(ls /dev/nvme0n1 2>&1)"
poweroff -f
END
chmod +x /tmp/inner/init
(cd /tmp/inner && find . | cpio -o -H newc 2>/dev/null) >/tmp/initrd
cp /bin/vmlinuz /tmp

# inner WORDS OPTION...: boot it with these words for its init; QEMU's monitor listens to descriptor 3
inner() {
	words=$1
	shift
	chroot /clients /usr/bin/qemu-system-aarch64 -M virt,gic-version=3 -accel kvm -cpu host -m 256M \
		-nodefaults -display none -no-reboot -serial file:/tmp/out -monitor stdio \
		-kernel /tmp/vmlinuz -initrd /tmp/initrd \
		-append "console=ttyAMA0 quiet iomem=relaxed mem=200M panic=-1 $words" "$@" \
		<&3 >/tmp/monitor 2>&1
}

# What it says when all is well; the disk holds what tests/vm/board.py has put there.
works() {
	says "disk bdc8bf36dace44ddc6eab9c621918513  -" && says "fired 1" && says "copied 0x12345678"
}

# host HOW: whether of what fired in its guest the host has counted some ("hears") or none ("sleeps")
host() {
	says "fired 1" && grep -F "(0000:00:02.0)" /proc/interrupts &&
		[ "$(awk '/\(0000:00:02\.0\)/ { n += $2 + $3 } END { print n ? "hears" : "sleeps" }' \
			/proc/interrupts)" = "$1" ]
}

edu=vfio-pci,host=0000:00:01.0
nvme=vfio-pci,host=0000:00:02.0
bay="-device pcie-root-port,id=bay,chassis=1"
mkfifo /tmp/commands
exec 3<>/tmp/commands

inner wait=1 -device $nvme -device $edu &
within 90 says "copied .*"
check "the guest's kernel reads the whole disk, and it is the disk" \
	says "disk bdc8bf36dace44ddc6eab9c621918513  -"
check "its driver has a vector for each queue" says "vectors 2"
check "which interrupt" says "fired 1"
check "the host $1 as they come" host "$1"
check "the edu is there" says "edu 0x010000ED"
check "and its DMA reaches the guest's memory" says "copied 0x12345678"
kill -KILL "$(pidof qemu-system-aarch64)"
wait

: >/tmp/out
# shellcheck disable=SC2086 # two words
inner wait=1 $bay -device $nvme,bus=bay,id=disk -device $edu &
check "QEMU killed and started again, all works" within 90 works
check "the host $1 again" host "$1"
echo "device_del disk" >&3
check "the disk is unplugged" within 60 says "disk gone: .*"
wait $!
check "QEMU ends as its guest does" [ $? = 0 ]
checked
