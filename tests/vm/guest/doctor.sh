#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# evfio doctor on the board: what it says mends an obstacle does, run as it stands.
#
# vm: timeout=180

. check.sh

edu=10000000.edu
member=10200000.edu
mate=10300000.edu
devices=/sys/bus/platform/devices

# finds TEXT NAME COMMAND...: doctor finds an obstacle, of which it says the text
finds() {
	answers 3 "$@"
	cp /tmp/said /tmp/found
}

# mend TEXT: runs the first command that is as root's beneath the obstacle that the text is about; not in
# another shell, for ulimit
mend() {
	sed -n "\|^  .*$1|,\$s/^    as root: //p" /tmp/found | head -n 1 >/tmp/command
	[ -s /tmp/command ] || return
	echo "# $(cat /tmp/command)"
	# shellcheck disable=SC1091
	. /tmp/command
}

mkdir -p /etc
printf '%s:x:%s:%s::/:/bin/sh\n' root 0 0 driver 1000 1000 >/etc/passwd

has "VFIO is evfio's" 'the board' evfio doctor
has 'IOMMU: smmu3.' 'its IOMMU' evfio doctor
has '  the same: a000200.virtio_mmio to a003e00.virtio_mmio, 31 devices' 'many that are alike' evfio doctor
finds 'a000200.virtio_mmio: no IOMMU' 'but who asks for one is told of it' \
	evfio doctor a000000.virtio_mmio a000200.virtio_mmio
check 'not the interrupt controller' sh -c '! evfio doctor | grep -q ^8000000'

finds 'it has no driver' 'a device without a driver' evfio doctor $edu
mend 'it has no driver'
has "$edu: ready; IOMMU (group" 'bound' evfio doctor $edu
has ', coherent, 1 region, 1 interrupt, no MSI, no clock, no reset' 'what it has' evfio doctor $edu
has '1 interrupt, MSI, 1 clock, 1 reset' 'and another' sh -c 'evfio doctor 10100000.edu || [ $? = 3 ]'
check 'it can be opened' edu $edu

echo simple-pm-bus >$devices/$mate/driver_override
echo $mate >/sys/bus/platform/drivers_probe
finds 'it has no driver' 'a member of an isolation set' evfio doctor $member
mend 'it has no driver'
finds "it must be owned together with $mate, which the host's driver simple-pm-bus has" 'its mate' \
	evfio doctor $member
refuses "$mate is bound to simple-pm-bus" 'which is in the way indeed' edu $member
mend "together with $mate"
has "$member: ready; " 'mended' evfio doctor $member
check 'it can be opened' edu $member

finds 'user 1000 may not read and write /dev/vfio/' 'permissions' su driver -c "evfio doctor $edu"
refuses 'no permission on' 'are in the way indeed' su driver -c "evfio regs $edu +0"
mend 'may not read and write /dev/vfio/[0-9]'
has "$edu: ready; " 'mended' su driver -c "evfio doctor $edu"
check 'it can be opened' su driver -c "evfio regs $edu +0"

ulimit -l 0
finds 'may lock 0 bytes' 'locked memory' su driver -c "evfio doctor $edu"
refuses 'the limit is 0 bytes' 'is in the way indeed' su driver -c "evfio dma test $edu"
mend 'may lock 0 bytes'
has 'memory for DMA: no limit' 'mended' su driver -c "evfio doctor $edu"
check 'it can be mapped' su driver -c "evfio dma test $edu"

sh -c 'exec sleep 100 3<>/dev/vfio/"$0"' "$(basename "$(readlink $devices/$edu/iommu_group)")" &
sleep 1
finds '(sleep)' 'somebody has it' evfio doctor $edu
mend 'in use by'
wait
has "$edu: ready; " 'mended' evfio doctor $edu

node=/dev/vfio/$(basename "$(readlink $devices/$edu/iommu_group)")
rm "$node"
finds "made $node" 'its node is missing' evfio doctor $edu
mend 'nothing (devtmpfs'
check 'mended' edu $edu

echo 1 >/sys/module/vfio_platform/parameters/reset_required
finds "the host's driver rtc-pl031 has it" 'a host driver' evfio doctor 9010000.pl031
check 'and a reset is required' grep -q 'it cannot be reset' /tmp/found
refuses 'refused' 'which is in the way indeed' evfio bind 9010000.pl031
mend 'it cannot be reset'
mend "the host's driver"
has '9010000.pl031: ready; ' 'mended, both' evfio doctor 9010000.pl031

finds '9000000.pl011 is the console' 'what the host needs' evfio doctor 9000000.pl011
check 'is not to be taken' sh -c '! grep -q force /tmp/found'
finds '&{/pcie@10000000} { status = "okay"; };' 'a node that is switched off' evfio doctor /pcie@10000000
finds 'iommus = <&{/smmuv3@9050000} STREAM>; };' 'a device without an IOMMU' evfio doctor 9030000.pl061

evfio unbind $edu $member $mate 9010000.pl031 >/dev/null
rm "$node" # which the kernel did not make
echo 0 >/sys/module/vfio_platform/parameters/reset_required
mkdir "/lib/modules/$(uname -r)"
cp /lib/modules/*.ko* "/lib/modules/$(uname -r)"
depmod
rmmod vfio_pci 2>/dev/null
rmmod vfio_platform vfio_iommu_type1 vfio
finds 'VFIO is not loaded' 'no modules' evfio doctor $edu
refuses 'is not loaded' 'which is in the way indeed' evfio bind $edu
mend 'VFIO is not loaded'
finds 'it has no driver' 'the next obstacle' evfio doctor $edu
mend 'it has no driver'
check 'mended' edu $edu
check 'unbind' evfio unbind $edu
checked
