# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# Completion of evfio's command line in bash: commands, options, devices.

_evfio()
{
	local line=${COMP_LINE:0:COMP_POINT} cur='' choices='' reply words command=()

	# COMP_WORDS would be in pieces: the names of PCI devices have colons.
	read -ra words <<<"$line"
	if [[ $line != *[[:space:]] ]]; then
		cur=${words[-1]}
		unset 'words[-1]'
	fi
	set -- "${words[@]:1}"
	while (($#)); do
		case $1 in
		--names | --sysfs)
			(($# > 1)) || choices=files
			shift
			;;
		--count | --timeout | --width)
			(($# > 1)) || choices=numbers
			shift
			;;
		-*) ;;
		*) command+=("$1") ;;
		esac
		shift
	done

	COMPREPLY=()
	case $choices,${command[*]} in
	files,*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	numbers,*) return ;;
	,) choices='list info doctor bind unbind reset regs irq dma bench sriov token' ;;
	,irq) choices=watch ;;
	,dma) choices='test' ;;
	,sriov) choices='list create remove' ;;
	,token) choices=new ;;
	,doctor* | ,bind* | ,unbind* | ,info | ,reset | ,regs | ,'irq watch' | ,'dma test' | ,bench | ,'sriov create' | ,'sriov remove')
		choices=$(evfio list 2>/dev/null | cut -f 1)
		;;
	esac
	[[ $cur != -* ]] ||
		choices='--count --force --help --json --names --sysfs --timeout --version --width'
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
	# What stands before the last colon is no part of what readline replaces.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		for reply in "${!COMPREPLY[@]}"; do
			COMPREPLY[reply]=${COMPREPLY[reply]#"${cur%"${cur##*:}"}"}
		done
	fi
} &&
complete -F _evfio evfio
