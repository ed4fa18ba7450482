#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The evfio command and the example, as a user has them.

. check.sh

has '10000000.edu' 'list shows a device without a driver' evfio list
has 'rtc-pl031' 'and one with its host driver' evfio list
refuses 'run `evfio bind 10000000.edu`' 'the example says what is missing' edu
has 'bound to vfio-platform, group' 'bind by device-tree path' evfio bind /edu-bus/edu@10000000
has 'bound to vfio-platform, group' 'bind it again' evfio bind 10000000.edu
has 'bound to vfio-amba, group' 'bind an AMBA device' evfio bind 9010000.pl031
has 'ready' 'list shows them ready' evfio list
case $(awk '$1 == "KernelPageSize:" { print $2; exit }' /proc/self/smaps) in
16) pages='16 KiB 32 MiB' ;;
*) pages='4 KiB 2 MiB 1 GiB' ;;
esac
for text in 'region       0 "regs": 1 MiB read write mmap' \
	'interrupt    0 "done": eventfd maskable automasked' \
	'coherent     yes' 'state        ready' 'reset        no' 'compatible   qemu,edu' \
	'device tree  /edu-bus/edu@10000000' "iommu pages  $pages" \
	'iova range   0x0 - 0x7ffffff' 'mappings     65535'; do
	has "$text" "info: $text" evfio info 10000000.edu
done
has '"last": "0x7ffffff"' 'info --json' evfio info --json 10000000.edu
refuses '10000000.edu has no reset' 'reset of a device that has none' evfio reset 10000000.edu
has 'driver       vfio-amba' 'info of an AMBA device' evfio info 9010000.pl031
has 'id 0x010000ed: hello, device' 'the driver that README.md quotes runs' driver
has '10! = 3628800' 'the example runs: interrupt' edu
has 'all 4080 bytes are equal' 'DMA' edu
has 'memory untouched' 'rogue DMA' edu
has 'pinned for DMA: 0 kB' 'nothing stays pinned' edu
# Without the log's limit on how often a message may come.
sleep 6
has 'stream 0x10, IOVA 0x1' 'the fault, in the log of 6.1 and 6.12' edu

# The description of registers that the manual has, and what it does with it.
cat >/tmp/edu.regs <<'EOF'
# name      offset     width  access
id          0x00       4      r
liveness    0x04       4
irq_raise   regs+0x60  4      w
irq_ack     regs+0x64  4      w
EOF
edu=10000000.edu
regs() {
	evfio regs --names /tmp/edu.regs "$edu" "$@"
}
watch() {
	evfio irq watch --names /tmp/edu.regs --timeout 5 "$edu" "$@"
}
has '0+0x0000             010000ed ' 'regs: what is at the beginning' evfio regs $edu
check '256 bytes' [ "$(grep -c . /tmp/said)" = 16 ]
has '0+0x0000             0x010000ed' 'a register by its place' evfio regs $edu +0
has 'regs+0x0010          ' 'several' evfio regs $edu regs+0:0x14
check 'in rows' [ "$(grep -c . /tmp/said)" = 2 ]
has 'id                   0x010000ed' 'all that are described' regs
check 'but for those that cannot be read' sh -c '! grep -q irq /tmp/said'
has 'liveness             0xedcba987' 'write and read' regs liveness =0x12345678 liveness
has 'regs+0x0004          0xfffffff6' 'by place' evfio regs $edu regs+4 =9 regs+4
has '"value": "0xfffffff6"' 'regs --json' regs --json liveness
refuses 'takes accesses of 4 bytes only ("reg-io-width"), not of 2' 'regs obeys the width' \
	evfio regs $edu --width 2 +0
refuses 'no registers of 4 bytes' 'what is not aligned' evfio regs $edu +2
refuses 'no registers of 4 bytes' 'half a register' evfio regs $edu +0:6
refuses 'beyond region 0, of 0x100000 bytes' 'what is beyond the region' evfio regs $edu +0xffffc:8
refuses 'no region "aux"' 'no such region' evfio regs $edu aux+0
refuses 'has no region 7: it has 1' 'nor by number' evfio regs $edu 7+0
refuses '0x123456789 does not fit into 4 bytes' 'a value too large' evfio regs $edu +4 =0x123456789
echo 'far 0x100000 4' >>/tmp/edu.regs
refuses '/tmp/edu.regs:6: 0x4 bytes at 0x100000 are beyond region 0' \
	'a description that does not fit' regs liveness =1
sed -i '$d' /tmp/edu.regs
has 'liveness             0xfffffff6' 'and nothing was written' regs liveness

has ' s: 1, 1 in all' 'irq watch: an interrupt that a register raises' \
	watch --count 1 'done' irq_raise =1
has ' s: 1, 3 in all' 'it is unmasked each time, and the line is up' watch --count 3
has '"total": 2}' 'irq watch --json' watch --count 2 --json 0
check 'acknowledged' regs irq_ack =1
refuses 'did not fire in time' 'then it is down' evfio irq watch --timeout 0.3 $edu
refuses 'no interrupt "other"' 'no such interrupt' evfio irq watch $edu other
(sleep 1; devmem 0x10000060 32 1) &
has ' s: 1, 1 in all' 'it is waited for' watch --count 1
check 'acknowledged' regs irq_ack =1
(sleep 1; evfio unbind $edu >/tmp/unbound 2>&1) &
refuses 'is being unbound' 'irq watch ends when the device goes' watch
wait
has 'bound to vfio-platform' 'bind it again' evfio bind $edu

has "mapped       ${pages%% KiB*} KiB at 0xffffffff" 'dma test: to the end of the addresses' \
	evfio dma test $edu
for text in "iommu pages  $pages" 'iova range   0x0 - 0x7ffffff' '2 MiB at ' 'mappings     65535'; do
	check "dma test: $text" grep -qF "$text" /tmp/said
done
has '"unmap_ns": ' 'dma test --json' evfio dma test --json $edu
evfio bench $edu >/tmp/bench
check 'bench' [ "$(grep -c '^.* [1-9][0-9]* ns ([1-9][0-9]* to [1-9][0-9]*)$' /tmp/bench)" = 6 ]
has '"median_ns": ' 'bench --json' evfio bench --json $edu
limit=/sys/module/vfio_iommu_type1/parameters/dma_entry_limit
echo 1 >$limit
has 'mappings     1' 'with room for one' evfio dma test $edu
echo 0 >$limit
refuses 'limit of 0 mappings is reached' 'and for none' evfio dma test $edu
echo 65535 >$limit

refuses '9000000.pl011 is the console, ttyAMA0: `evfio bind --force 9000000.pl011`' \
	'bind leaves the console alone' evfio bind 9000000.pl011
check 'it still has its driver' [ -d /sys/bus/amba/devices/9000000.pl011/driver ]

sh -c 'exec sleep 100 3<>/dev/vfio/"$0"' "$(basename "$(readlink \
	/sys/bus/platform/devices/10000000.edu/iommu_group)")" &
holder=$!
sleep 1
refuses "in use by pid $holder (sleep)" 'a group in use: by whom' edu
has "in use by pid $holder (sleep)" 'info says so too' evfio info 10000000.edu
kill $holder

has 'bound to vfio-platform, group' 'bind several' evfio bind 10100000.edu 10200000.edu 10300000.edu
has '10100000.edu: reset' 'reset of a device with a reset line' evfio reset 10100000.edu
has 'coherent     no' 'a device that is not cache-coherent' evfio info 10300000.edu
has 'all 4080 bytes are equal' 'the example runs on it' edu 10300000.edu
has 'given back to rtc-pl031' 'unbind gives the device to its host driver' \
	evfio unbind 9010000.pl031
has 'given back to no driver' 'or to none' evfio unbind 10000000.edu
refuses 'not bound to VFIO' 'once' evfio unbind 10000000.edu
refuses 'no device 1.edu' 'a device that is not there' evfio bind 1.edu
refuses 'no IOMMU group: no IOMMU serves it' 'a device without an IOMMU' evfio bind 9030000.pl061

checked
