#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# A physical function and its virtual ones in the hands of two users who share a token: the evfio
# command and the pair of programs in examples/sriov, on an NVMe controller. With the kernel's nvme one
# virtual function goes to the host as well.
#
# vm: board=pci timeout=120
# vm: board=pci timeout=120 stock=nvme kernels="6.12"

pf=0000:00:07.0
vf1=0000:00:07.1
vf2=0000:00:07.2
dir=/sys/bus/pci/devices
enable=/sys/module/vfio_pci/parameters/enable_sriov
token=/run/pf/token
wrong=/run/wrong
tab=$(printf '\t')
logs='/tmp/pf /tmp/stays'	# of the two that run in the background
. check.sh

# give FUNCTION USER: its group's node
give() {
	chown "$2" /dev/vfio/"$(basename "$(readlink $dir/"$1"/iommu_group)")"
}

# What it says is looked at before it may have begun.
start_pf() {
	: >/tmp/pf
	su pf -c "exec sriov-pf $pf $token" >/tmp/pf 2>&1 &
	pf_pid=$!
}

# Ends a process that was started here, and waits until its devices are closed.
end() { # PID
	kill -9 "$1"
	wait "$1" 2>/dev/null
}

# vf TOKEN-FILE ARGUMENT...: as its user, who cannot read the file; root can
vf() {
	local file="$1"
	shift
	su vf -c "exec sriov-vf $*" <"$file"
}

stays() { # FUNCTION
	: >/tmp/stays
	su vf -c "exec sriov-vf --stay $1" <$token >/tmp/stays 2>&1 &
	vf_pid=$!
}

# comes TEXT FILE [COUNT]: so many lines with the text appear there soon
comes() {
	local i=0
	while [ "$(grep -c -- "$1" "$2")" -lt "${3:-1}" ] && [ "$i" -lt 200 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	[ "$(grep -c -- "$1" "$2")" -ge "${3:-1}" ]
}

owner() { # FILE
	stat -c '%a %u' "$1"
}

mkdir -p /etc
printf '%s:x:%s:%s::/:/bin/sh\n' root 0 0 pf 1000 1000 vf 2000 2000 >/etc/passwd
mkdir -m 711 /run/pf
chown 1000 /run/pf
# A reset of QEMU 7.2's PF takes its VFs away behind the kernel's back, as no hardware does.
echo >$dir/$pf/reset_method

has "$pf${tab}0 of 2" 'list shows what can have virtual functions' evfio sriov list
refuses "echo 1 >$enable" 'none before an administrator allows it' evfio sriov create $pf 2
echo 1 >$enable
refuses 'can have 1 to 2 virtual functions, not 3' 'no more than there can be' \
	evfio sriov create $pf 3
refuses '0000:00:01.0 has no SR-IOV' 'none of a device without' evfio sriov create 0000:00:01.0 1
evfio unbind $pf >/dev/null
refuses "not to vfio-pci: run \`evfio bind $pf\`" 'none of what VFIO has not' \
	evfio sriov create $pf 1
evfio bind $pf >/dev/null
echo >$dir/$pf/reset_method

give $pf pf
start_pf
check 'the PF is up, as its user' comes 'serial     sriov' /tmp/pf
has '600 1000' 'its token is in a file for it alone' owner $token
refuses 'Permission denied' 'its neighbour cannot read that' su vf -c "cat $token"
has "$vf2: bound to vfio-pci, group" 'create two' evfio sriov create $pf 2
has "$vf1: bound to vfio-pci, group" 'create as many: they are there' evfio sriov create $pf 2
refuses "$pf has 2 virtual functions already: run \`evfio sriov remove $pf\`" 'not another number' \
	evfio sriov create $pf 1
check 'the PF brings them online' comes 'online, 2 queues, 1 interrupt' /tmp/pf 2
give $vf1 vf
give $vf2 vf
has '"total_vfs": 2' 'list --json' evfio sriov list --json
has "$vf1 is a virtual function of $pf and opened with its token only: ask" 'info says so' \
	evfio info $vf1

evfio token new >$wrong
refuses "opened with its token only, and this is another" 'a wrong token' vf $wrong $vf1
refuses "opened with its token only: ask" 'none' nvme $vf1
refuses 'this is none' 'what is no token' vf /dev/null $vf1
give 0000:00:02.0 vf
refuses 'takes no token' 'a token for a device that has none' vf $token 0000:00:02.0
has 'namespace  1: 2048 blocks of 512 bytes' 'the token: a VF identifies' vf $token $vf1
has 'block 7: hello' 'writes and reads' vf $token $vf1 7 hello
has 'block 7: hello' 'and the other reads that' vf $token $vf2 7
check 'no log has the token' sh -c "! dmesg | grep -iF -f $token"

stays $vf1
check 'a VF stays open' comes namespace /tmp/stays
refuses "in use by pid $vf_pid (sriov-vf): stop that first" 'remove asks' evfio sriov remove $pf
end $pf_pid
check 'the PF dies; its VF does not' kill -0 $vf_pid
refuses "virtual functions of $pf are in use: it is opened with their token only" \
	'without the token it is not opened again' su pf -c "exec nvme $pf"
mv $token /run/right
cp $wrong $token
chown 1000 $token
chmod 600 $token
refuses 'with their token only, and this is another' 'nor with another' \
	su pf -c "exec sriov-pf $pf $token"
chmod 640 $token
refuses 'know this token' 'nor is one taken that others can read' su pf -c "exec sriov-pf $pf $token"
mv /run/right $token
start_pf
check 'with its token it is, and the VFs come online' comes online /tmp/pf 2
end $vf_pid
has 'block 7: hello' 'one is opened again' vf $token $vf1 7

# The PF knows its token, but nobody is there who would mind another.
end $pf_pid
has 'serial     sriov' 'while no VF is in use it is opened without' su pf -c "exec nvme $pf"
mv $token /run/old
start_pf
check 'and with a new token' comes online /tmp/pf 2
refuses 'and this is another' 'the old one is of no use then' vf /run/old $vf1
has 'block 7: hello' 'the new one is' vf $token $vf1 7

if [ -d /sys/bus/pci/drivers/nvme ]; then
	has 'given back to nvme' 'a VF for the host' evfio unbind $vf2
	refuses "$vf2 is bound to nvme: run \`evfio bind $vf2\`" 'remove asks for that as well' \
		evfio sriov remove $pf
	check "the host has its disk" comes . "$(echo $dir/$vf2/nvme/nvme*)/state"
	has 'block 7: hello' 'the other is nothing to it' vf $token $vf1 7
	has 'bound to vfio-pci' 'and back' evfio bind $vf2
	give $vf2 vf
	has 'block 7: hello' 'it works' vf $token $vf2 7
fi

stays $vf1
check 'a VF stays open' comes namespace /tmp/stays
check 'remove by force' evfio sriov remove --force $pf
check 'its user was told, and let go' comes "$vf1: to be let go" /tmp/stays
check 'it is gone' [ ! -e $dir/$vf1 ]
has "$pf${tab}0 of 2" 'list' evfio sriov list
has "$vf1: bound to vfio-pci" 'create one' evfio sriov create $pf 1
check 'the PF serves it' comes "$vf1: online" /tmp/pf 2
give $vf1 vf
has 'block 7: hello' 'the token is the same' vf $token $vf1 7

# The kernel's own VFIO would wait for ever.
if [ -e /sys/module/vfio/parameters/removal_grace_ms ]; then
	stays $vf1
	check 'a VF stays open' comes namespace /tmp/stays
	kill -STOP $vf_pid
	check 'and takes no notice when it is to go' timeout 20 evfio sriov remove --force $pf
	check 'it is gone' [ ! -e $dir/$vf1 ]
	kill -CONT $vf_pid
	end $vf_pid
else
	evfio sriov remove $pf
fi
end $pf_pid
check 'nothing to remove' evfio sriov remove $pf
has 'given back to' 'unbind' evfio unbind $pf
checked
