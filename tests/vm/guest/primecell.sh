#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The drivers in examples/ for two AMBA devices of Arm's, the PL031 and the PL061, which do no DMA: with interrupts,
# on a board that knows no IOMMU for them.
#
# vm: board=pci bind=no iommu=no

rtc=9010000.pl031
gpio=9030000.pl061
. check.sh

echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
has 'bound to vfio-amba' 'bind' evfio bind $rtc $gpio

has 'alarm' 'pl031: the alarm' pl031 $rtc 2
seconds() {
	date -u +%s -d "$(sed -n "s/^$1 *\(.*\) UTC/\1/p" /tmp/said)"
}
begin=$(seconds time) end=$(seconds alarm)
check 'it rang two seconds later' [ $((end - begin)) -ge 2 ]
check 'the time is that of the machine' [ $(($(date +%s) - end)) -lt 60 ]

has 'line 3   input, down' 'pl061: its lines' pl061 $gpio
pl061 $gpio 3 >/tmp/pl061 2>&1 &
while ! grep -q waiting /tmp/pl061 && kill -0 $!; do
	sleep 0.1
done
check 'nothing has happened yet' [ "$(tail -n 1 /tmp/pl061)" = 'line 3   waiting' ]
# The machine's power button: board.py passes this on to QEMU.
echo '@vm monitor system_powerdown'
check 'the power button is pressed' wait $!
check 'by interrupt' [ "$(tail -n 1 /tmp/pl061)" = 'line 3   has risen' ]
refuses 'this is part 0x031' 'pl061 on a PL031' pl061 $rtc
refuses 'this is part 0x061' 'pl031 on a PL061' pl031 $gpio

check 'unbind' evfio unbind $rtc $gpio
echo 0 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode
checked
