#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The kernel's own tests of VFIO: those that use a container of /dev/vfio/vfio, the others use iommufd.
#
# vm: board=pci programs="clients/*" memory=1G timeout=180

. check.sh

evfio() {
	[ -e /sys/module/vfio/parameters/removal_grace_ms ]
}

# points TEST DEVICE: its points, numbered on
points() {
	"$1" "$2" >/tmp/out 2>&1
	grep -E '^(not )?ok ' /tmp/out | grep -v iommufd >/tmp/points
	while read -r line; do
		count=$((count + 1))
		case $line in
		not*overflow)	# EOVERFLOW, as of 7.2; evfio answers it everywhere
			evfio && bad=1 || line="${line#not } # SKIP on an older kernel's VFIO" ;;
		not*)
			bad=1 ;;
		esac
		echo "$line" | sed "s/ok [0-9]*/ok $count - $2/"
	done </tmp/points
	! grep -q '^not ok' /tmp/points || sed 's/^/# /' /tmp/out
}

echo 8 >/proc/sys/vm/nr_hugepages
points vfio_pci_device_test 0000:00:03.0
points vfio_dma_mapping_test 0000:00:03.0
points vfio_dma_mapping_mmio_test 0000:00:03.0
points vfio_pci_device_init_perf_test 0000:00:03.0
points vfio_pci_device_test 0000:01:00.0
points vfio_dma_mapping_test 0000:02:01.0

# With a virtual function, which QEMU 7.2 forgets when its physical one is reset.
echo 1 >/sys/module/vfio_pci/parameters/enable_sriov
echo >/sys/bus/pci/devices/0000:00:07.0/reset_method
points vfio_pci_sriov_uapi_test 0000:00:07.0
checked
