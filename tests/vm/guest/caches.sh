#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Which cache lines libevfio maintains: tests/unit/board-caches.c has the points.
# vm: timeout=180
# vm: timeout=180 iommu=no

mode=/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
how=
[ -e /sys/bus/platform/drivers/arm-smmu-v3/9050000.smmuv3 ] || how=pin
[ -z "$how" ] || echo 1 >$mode
evfio bind 10000000.edu 10200000.edu 10300000.edu >/dev/null || echo "Bail out! cannot bind the devices"
board-caches $how
status=$?
evfio unbind 10000000.edu 10200000.edu 10300000.edu >/dev/null
[ -z "$how" ] || echo 0 >$mode
exit $status
