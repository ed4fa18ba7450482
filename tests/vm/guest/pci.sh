#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The evfio command and the examples on PCI functions, as a user has them.
#
# vm: board=pci bind=no timeout=120

edu=0000:00:01.0
nvme=0000:00:02.0
bridge=0000:00:05.0
bridged=0000:02:01.0
twin0=0000:00:06.0
twin1=0000:00:06.1
. check.sh

has "$edu" 'list shows functions without a driver' evfio list
has 'pci          1234:11e8 class 00ff00' 'info: what it is' evfio info $edu
has "run \`evfio bind $edu\`" 'info: what to do' evfio info $edu
refuses "run \`evfio bind $edu\`" 'the example says so as well' edu $edu
has 'bound to vfio-pci, group' 'bind' evfio bind $edu $nvme
has 'bound to vfio-pci, group' 'bind it again' evfio bind $edu
for text in 'region       0 "bar0": 1 MiB read write mmap' 'region       7 "config": 256 bytes' \
	'interrupt    0 "intx": eventfd maskable automasked' 'interrupt    1 "msi": eventfd' \
	'interrupt    4 "req": eventfd' 'coherent     yes' 'state        ready'; do
	has "$text" "info: $text" evfio info $edu
done
has '"msix": 65 vectors eventfd' 'info: several vectors' evfio info $nvme
has '"pci_class": "010802"' 'info --json' evfio info --json $nvme

has "$nvme: reset" 'reset' evfio reset $nvme

has 'bar0+0x0000          0x010000ed' 'regs' evfio regs $edu bar0+0
has 'config+0x0000        1234 11e8 ' 'regs of the configuration space' \
	evfio regs --width 2 $edu config+0:64
has 'bar0+0x0080          0x' '8 bytes' evfio regs --width 8 $edu bar0+0x80
refuses 'the device does not answer at 0x0 of region 0' 'a BAR that is switched off' \
	evfio regs --width 2 $edu config+4 =0 bar0+0
has ' s: 1, 1 in all' 'irq watch: MSI' \
	evfio irq watch $edu msi bar0+0x60 =1 --count 1 --timeout 5
has ' s: 1, 2 in all' 'and INTx' evfio irq watch $edu intx bar0+0x60 =1 --count 2 --timeout 5
check 'acknowledged' evfio regs $edu bar0+0x64 =1
has ' KiB at 0xffff' 'dma test' evfio dma test $edu

for kind in msi intx; do
	has "\"$kind\": " "the example runs with $kind" edu $edu $kind
	for text in '10! = 3628800' 'all 4080 bytes are equal' 'memory untouched' \
		'pinned for DMA: 0 kB'; do
		check "$kind: $text" grep -qF "$text" /tmp/said
	done
done
has '1 "msi": edge' 'it takes MSI by itself' edu $edu
refuses 'is empty' 'MSI-X, which the device has not' edu $edu msix

if [ -L /sys/bus/pci/devices/$bridge/driver ]; then
	driver=$(basename "$(readlink /sys/bus/pci/devices/$bridge/driver)")
	has "is not viable: $bridge is bound to $driver" 'bind says what is still in the way' \
		evfio bind $bridged
	has "/sys/bus/pci/drivers/$driver/unbind" 'list says what to do about it' evfio list
	refuses "$bridge is bound to $driver" 'the example says so, too' edu $bridged
	echo $bridge >/sys/bus/pci/drivers/"$driver"/unbind
else	# a kernel without a driver for bridges
	evfio bind $bridged >/dev/null
fi
has 'all 4080 bytes are equal' 'behind the bridge, without its driver' edu $bridged
has 'bound to vfio-pci, group' 'bind one of two functions of a slot' evfio bind $twin0
has 'all 4080 bytes are equal' 'its mate without a driver is not in the way' edu $twin0
has 'bound to vfio-pci, group' 'bind the mate' evfio bind $twin1
has "member       $twin1 (vfio-pci)" 'info shows it' evfio info $twin0
has 'all 4080 bytes are equal' 'which runs as well' edu $twin1

has 'given back to no driver' 'unbind' evfio unbind $edu $nvme
refuses 'not bound to VFIO' 'once' evfio unbind $edu
refuses 'refused' 'a bridge is not for user space' evfio bind $bridge
checked
