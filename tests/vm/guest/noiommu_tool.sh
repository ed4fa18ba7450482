#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The library, its command and the example on a machine without an IOMMU.
# vm: iommu=no

. check.sh

refuses "enable_unsafe_noiommu_mode" "bind: says what is in the way" evfio bind 10000000.edu
echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
check "bind: accepted" evfio bind 10000000.edu
has "ready" "info: the device is ready" evfio info 10000000.edu
has "bytes are equal" "pin: a buffer goes into the device and back" pin 10000000.edu
refuses "have no IOMMU, so nothing can be mapped" "edu: mappings are told from pinning" edu 10000000.edu
check "unbind" evfio unbind 10000000.edu
checked
