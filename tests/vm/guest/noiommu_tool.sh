#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The library, its command and the example on a machine without an IOMMU.
# vm: iommu=no

. check.sh

refuses "evfio doctor 10000000.edu" "bind: says what is in the way" evfio bind 10000000.edu
answers 3 "its IOMMU, /smmuv3@9050000, is switched off" "doctor: says which" evfio doctor 10000000.edu
sed -n '/is switched off/,$s/^    as root: //p' /tmp/said | head -n 1 >/tmp/command
check "doctor: what it says of no-IOMMU mode" sh /tmp/command
check "bind: accepted" evfio bind 10000000.edu
has "ready" "info: the device is ready" evfio info 10000000.edu
has "ready; no IOMMU (group " "doctor: so it is" evfio doctor 10000000.edu
has "note: without an IOMMU its user can reach all memory" "doctor: at what cost" evfio doctor 10000000.edu
refuses "are beyond region" "regs: nor is there anything 4 GiB behind a register" \
	evfio regs 10000000.edu regs+0x100000000
check "bench: how long it takes to open it, and no more" \
	sh -c "evfio bench 10000000.edu | grep -c . | grep -qx 1"
has "bytes are equal" "pin: a buffer goes into the device and back" pin 10000000.edu
has "2048 bytes are equal" "contig: a buffer in one piece, the same" contig 10000000.edu
refuses "have no IOMMU, so nothing can be mapped" "edu: mappings are told from pinning" edu 10000000.edu
mkdir -p /etc
printf '%s:x:%s:%s::/:/bin/sh\n' root 0 0 driver 1000 1000 >/etc/passwd
chown 1000 /dev/vfio/noiommu-*
answers 3 "it takes CAP_SYS_RAWIO to open it" "doctor: somebody else" su driver -c "evfio doctor 10000000.edu"
refuses "takes CAP_SYS_RAWIO" "who cannot indeed" su driver -c "pin 10000000.edu"
check "unbind" evfio unbind 10000000.edu
checked
