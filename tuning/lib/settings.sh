# shellcheck shell=bash
# Every setting of the host: what it is now, what host.toml wants, why, and how it is changed.
# Reads only. `collect` fills the I_ lists, one entry a value; an entry says in I_HOW what can be done about it:
#
#   write    its file under /proc or /sys takes the value at run time
#   ethtool  the card's driver takes it at run time
#   boot     only the kernel's command line and a reboot
#   hand     a person's work: a service, a unit, a place in the machine
#
# Verdicts: ok, differs, unreadable, kept (host.toml says "keep"), note (shown, never judged).

I_KEY=() I_LABEL=() I_UNIT=() I_N=() I_HOW=() I_TARGET=() I_WRITE=() I_NOW=() I_WANTED=() I_VERDICT=() I_REASON=()
declare -A CMDLINE=()
# Keys or their first parts that are asked for; empty is all.
ONLY=
# The engine's own configuration, to be compared; empty is none.
ENGINE_CONFIG=

collect() {
    read_cmdline
    boot_parameters
    local part
    for part in cores boot irq memory kernel nic cpu limits unit journal engine; do
        is_asked_for "$part" && "collect_$part"
    done
    mark_fixed
}

# What differs in a file that nobody may write, not even root, is no work for `apply`.
mark_fixed() {
    local at mode path paths=()
    local -A is_fixed=()
    for at in "${!I_KEY[@]}"; do
        [[ ${I_VERDICT[at]}:${I_HOW[at]} == differs:write ]] && paths+=("$ROOT${I_TARGET[at]//%/${I_N[at]}}")
    done
    ((${#paths[@]})) || return 0
    while read -r mode path; do
        [[ $mode == *w* ]] || is_fixed[$path]=1
    done < <(stat -c '%A %n' -- "${paths[@]}" 2>/dev/null)
    for at in "${!I_KEY[@]}"; do
        [[ ${I_VERDICT[at]}:${I_HOW[at]} == differs:write && -n ${is_fixed[$ROOT${I_TARGET[at]//%/${I_N[at]}}]:-} ]] || continue
        I_HOW[at]=hand I_REASON[at]='this kernel lets nobody change it'
        I_TARGET[at]='boot a kernel that does, or write "keep" into host.toml'
    done
}

# Says whether part $1, or a key in it, is asked for.
is_asked_for() {
    local one
    [[ -n $ONLY ]] || return 0
    for one in ${ONLY//,/ }; do [[ $one == "$1" || $one == "$1".* ]] && return 0; done
    return 1
}

is_key_asked_for() {
    [[ -z $ONLY || ,$ONLY, == *",$1,"* || ,$ONLY, == *",${1%%.*},"* ]]
}

# KEY VERDICT NOW WANTED HOW TARGET [REASON [WRITE [UNIT N [LABEL]]]]
add() {
    is_key_asked_for "$1" || return 0
    I_KEY+=("$1") I_VERDICT+=("$2") I_NOW+=("$3") I_WANTED+=("$4") I_HOW+=("$5") I_TARGET+=("$6") I_REASON+=("${7:-}")
    I_WRITE+=("${8:-$4}") I_UNIT+=("${9:-}") I_N+=("${10:-}") I_LABEL+=("${11:-}")
}

# A file that holds the value. KEY PATH WANTED WHEN-ABSENT [UNIT N [LABEL]]
value_of_file() {
    local key=$1 path=$2 wanted=$3 absent=$4 verdict=differs reason=''
    shift 4
    if ! read_value "$path"; then
        [[ $REASON != absent ]] || REASON="absent: $absent"
        VALUE=-
        verdict=unreadable reason=$REASON
        [[ $wanted != keep ]] || verdict=kept
    elif [[ $wanted == keep ]]; then
        verdict=kept
    elif [[ $VALUE == "$wanted" ]]; then
        verdict=ok
    fi
    add "$key" "$verdict" "$VALUE" "$wanted" write "$path" "$reason" "$wanted" "$@"
}

# A file that holds a list or mask of cores, of which none may be outside $3. FORM is list or mask.
cores_of_file() { # KEY PATH WITHIN FORM WHEN-ABSENT
    local key=$1 path=$2 within=$3 form=$4 verdict=differs raw write=$3 reason=''
    if ! read_value "$path"; then
        [[ $REASON != absent ]] || REASON="absent: $5"
        verdict=unreadable
        [[ $within != keep ]] || verdict=kept
        add "$key" "$verdict" - "$within" write "$path" "$REASON"
        return
    fi
    raw=$VALUE
    if [[ $form == mask ]]; then
        if ! expand_mask "$raw"; then
            add "$key" unreadable "$raw" "$within" write "$path" 'no mask of cores'
            return
        fi
        list_cpus
        raw=$LIST
        [[ $within == keep ]] || { expand_cpus "$within" && mask_cpus && write=$MASK; }
    fi
    if [[ $within == keep ]]; then
        verdict=kept
    elif is_within "$raw" "$within"; then
        verdict=ok
    fi
    add "$key" "$verdict" "$raw" "$within" write "$path" "$reason" "$write"
}

# Where host.toml says "housekeeping": those cores; else the word it says.
housekeeping_or() {
    if [[ $1 == housekeeping ]]; then WITHIN=$HOUSEKEEPING; else WITHIN=$1; fi
}

# --- cores --------------------------------------------------------------------------------------------------------

collect_cores() {
    local verdict=differs
    if ! read_value /sys/devices/system/cpu/online; then
        add cores.online unreadable - "$ALL_CORES" hand '' "$REASON"
    else
        [[ $VALUE == "$ALL_CORES" ]] && verdict=ok
        add cores.online "$verdict" "$VALUE" "$ALL_CORES" hand \
            "write the cores that are online, $VALUE, into [cores] of host.toml: each in one of the two lists"
    fi
}

# --- the kernel's command line --------------------------------------------------------------------------------------

read_cmdline() {
    CMDLINE=()
    CMDLINE_REASON=''
    read_value /proc/cmdline || { CMDLINE_REASON=$REASON; return 0; }
    local word name words
    read -ra words <<<"$VALUE"
    for word in "${words[@]}"; do
        [[ $word == *=* && $word != =* ]] || continue
        # As the kernel reads them: - and _ in a name are one, and the last one counts.
        name=${word%%=*}
        CMDLINE[${name//-/_}]=${word#*=}
    done
}

collect_boot() {
    local name key now verdict reason
    for name in isolcpus nohz_full rcu_nocbs irqaffinity; do
        key=boot.$name
        if [[ ${HOST[$key]} == keep ]]; then
            add "$key" kept "${CMDLINE[$name]:-none}" keep boot "$name"
            continue
        fi
        if [[ -n $CMDLINE_REASON ]]; then
            add "$key" unreadable - "${BOOT[$name]}" boot "$name" "$CMDLINE_REASON"
            continue
        fi
        now=${CMDLINE[$name]:-} verdict=differs reason=''
        if is_same_boot "$name" "$now"; then verdict=ok; fi
        case $name in
            isolcpus) judge_isolation ;;
            nohz_full) judge_ticks ;;
        esac
        add "$key" "$verdict" "${now:-none}" "${BOOT[$name]}" boot "$name" "$reason"
    done
    for name in intel_idle.max_cstate processor.max_cstate; do
        now=${CMDLINE[$name]:-none} verdict=differs
        if [[ ${HOST[boot.max_cstate]} == keep ]]; then
            add "boot.$name" kept "$now" keep boot "$name"
        elif [[ -n $CMDLINE_REASON ]]; then
            add "boot.$name" unreadable - "${BOOT[$name]}" boot "$name" "$CMDLINE_REASON"
        else
            [[ $now == "${BOOT[$name]}" ]] && verdict=ok
            add "boot.$name" "$verdict" "$now" "${BOOT[$name]}" boot "$name"
        fi
    done
    add boot.mitigations note "${CMDLINE[mitigations]:-not set}" '-' hand ''
}

# What the kernel made of isolcpus is in sysfs; a kernel may ignore what it was told.
judge_isolation() {
    [[ $verdict == ok && ${HOST[boot.isolcpus]} == *domain* ]] || return 0
    read_value /sys/devices/system/cpu/isolated || return 0
    if [[ $VALUE != "$ISOLATED" ]]; then
        verdict=differs
        reason="asked for, but the kernel says that it isolates: ${VALUE:-none}"
    fi
}

judge_ticks() {
    if ! read_value /sys/devices/system/cpu/nohz_full; then
        verdict=unreadable
        reason='not this kernel: built without CONFIG_NO_HZ_FULL'
        [[ $REASON == absent ]] || reason=$REASON
        return
    fi
    [[ $VALUE != '(null)' ]] || VALUE=''
    if [[ $verdict == ok && $VALUE != "$ISOLATED" ]]; then
        verdict=differs
        reason="asked for, but the kernel says: ${VALUE:-none}"
    fi
}

# Says whether parameter $1 with text $2 is what is wanted: flags and cores in any order.
is_same_boot() {
    local piece flags=() cores='' wanted_flags sorted
    [[ $2 != '' ]] || return 1
    for piece in ${2//,/ }; do
        if [[ $piece =~ ^[0-9] ]]; then cores+=${cores:+,}$piece; else flags+=("$piece"); fi
    done
    tidy_list "$cores" || return 1
    case $1 in
        isolcpus)
            # Without flags the kernel takes `domain`.
            ((${#flags[@]})) || flags=(domain)
            sorted=$(printf '%s\n' "${flags[@]}" | sort -u)
            wanted_flags=$(tr , '\n' <<<"${HOST[boot.isolcpus]}" | sort -u)
            [[ $LIST == "$ISOLATED" && $sorted == "$wanted_flags" ]]
            ;;
        *) ((!${#flags[@]})) && [[ $LIST == "${BOOT[$1]}" ]] ;;
    esac
}

# --- interrupts ---------------------------------------------------------------------------------------------------

collect_irq() {
    local dir n within verdict reason how target mode path
    local -A is_card=() fixed=()
    housekeeping_or "${HOST[irq.affinity]}"
    cores_of_file irq.default /proc/irq/default_smp_affinity "$WITHIN" mask 'not this kernel'
    if [[ ${HOST[nic.name]} != keep ]]; then
        for dir in "$ROOT/sys/class/net/${HOST[nic.name]}"/device/{,../}msi_irqs/*; do
            [[ -e $dir ]] && is_card[${dir##*/}]=1
        done
    fi
    while read -r mode path; do
        [[ $mode == *[2367]* ]] || fixed[$path]=1
    done < <(stat -c '%a %n' -- "$ROOT"/proc/irq/*/smp_affinity_list 2>/dev/null)
    for dir in $(printf '%s\n' "$ROOT"/proc/irq/[0-9]* | sort -V); do
        n=${dir##*/}
        is_used_irq "$dir" || continue
        within=$WITHIN
        [[ -z ${is_card[$n]:-} || ${HOST[nic.irq_cores]} == keep ]] || within=${HOST[nic.irq_cores]}
        verdict=differs reason='' how='write' target='/proc/irq/%/smp_affinity_list'
        if ! read_value "/proc/irq/$n/smp_affinity_list"; then
            add irq.affinity unreadable - "$within" write "$target" "$REASON" "$within" irq "$n"
            continue
        fi
        if [[ $within == keep ]]; then
            verdict=kept
        elif is_within "$VALUE" "$within"; then
            verdict=ok
        elif [[ -n ${fixed[$dir/smp_affinity_list]:-} ]]; then
            # The kernel spreads a managed interrupt itself. What counts is where it comes now.
            judge_managed
        fi
        add irq.affinity "$verdict" "$VALUE" "$within" "$how" "$target" "$reason" "$within" irq "$n"
    done
    collect_irqbalance
}

# An interrupt that nobody handles never comes; the two of the old timer are not used once the cores have their own.
is_used_irq() {
    local action found=1
    for action in "$1"/*/; do
        case ${action%/} in
            */timer | */cascade) return 1 ;;
            *\*) ;;
            *) found=0 ;;
        esac
    done
    return $found
}

judge_managed() {
    local mask=$VALUE
    how=boot target=isolcpus
    if read_value "/proc/irq/$n/effective_affinity_list" && [[ -n $VALUE ]] && is_within "$VALUE" "$HOUSEKEEPING"; then
        verdict=ok reason='the kernel manages it; these are the cores it comes to'
        return
    fi
    VALUE=$mask
    reason='the kernel manages it and takes no other list'
    if [[ ${CMDLINE[isolcpus]:-} == *managed_irq* ]]; then
        how=hand target='give its device fewer queues, where the driver has a word for that (ethtool -L for a card)'
    fi
}

collect_irqbalance() {
    local comm name verdict=ok now=stopped
    for comm in "$ROOT"/proc/[0-9]*/comm; do
        { IFS= read -r name <"$comm"; } 2>/dev/null || continue
        [[ $name == irqbalance ]] || continue
        verdict=differs now=running
    done
    [[ ${HOST[irq.irqbalance]} != keep ]] || verdict=kept
    add irq.irqbalance "$verdict" "$now" "${HOST[irq.irqbalance]}" hand 'systemctl disable --now irqbalance'
}

# --- memory, kernel -----------------------------------------------------------------------------------------------

collect_memory() {
    local thp=/sys/kernel/mm/transparent_hugepage no_thp='not this kernel: built without CONFIG_TRANSPARENT_HUGEPAGE'
    value_of_file memory.thp_enabled $thp/enabled "${HOST[memory.thp_enabled]}" "$no_thp"
    value_of_file memory.thp_defrag $thp/defrag "${HOST[memory.thp_defrag]}" "$no_thp"
    value_of_file memory.huge_pages_2m /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages \
        "${HOST[memory.huge_pages_2m]}" 'not this kernel: no huge pages of 2 MiB'
    collect_swap
}

collect_swap() {
    local file rest devices='' verdict=ok
    if [[ ! -r $ROOT/proc/swaps ]]; then
        verdict=unreadable devices=-
    else
        while read -r file rest; do
            [[ $file == Filename ]] || devices+=${devices:+ }$file
        done <"$ROOT/proc/swaps"
        [[ -z $devices ]] || verdict=differs
    fi
    [[ ${HOST[memory.swap]} != keep ]] || verdict=kept
    add memory.swap "$verdict" "${devices:-none}" "${HOST[memory.swap]}" hand \
        'swapoff -a; then take the swap lines out of /etc/fstab'
}

collect_kernel() {
    local clocks=/sys/devices/system/clocksource/clocksource0 sys=/proc/sys
    collect_clock $clocks
    value_of_file kernel.rt_runtime_us $sys/kernel/sched_rt_runtime_us "${HOST[kernel.rt_runtime_us]}" 'not this kernel'
    value_of_file kernel.stat_interval_s $sys/vm/stat_interval "${HOST[kernel.stat_interval_s]}" 'not this kernel'
    value_of_file kernel.numa_balancing $sys/kernel/numa_balancing "${HOST[kernel.numa_balancing]}" \
        'not this kernel: built without CONFIG_NUMA_BALANCING'
    value_of_file kernel.nmi_watchdog $sys/kernel/nmi_watchdog "${HOST[kernel.nmi_watchdog]}" \
        'not this kernel: built without a lockup detector'
    housekeeping_or "${HOST[kernel.workqueues]}"
    cores_of_file kernel.workqueues /sys/devices/virtual/workqueue/cpumask "$WITHIN" mask 'not this kernel'
}

collect_clock() {
    local wanted=${HOST[kernel.clocksource]} now
    if [[ $wanted != keep ]] && read_value "$1/current_clocksource" && [[ $VALUE != "$wanted" ]]; then
        now=$VALUE
        read_value "$1/available_clocksource" || VALUE=''
        if [[ " $VALUE " != *" $wanted "* ]]; then
            add kernel.clocksource differs "$now" "$wanted" hand "dmesg | grep -i -e clocksource -e tsc" \
                "this kernel offers only: $VALUE"
            return
        fi
    fi
    value_of_file kernel.clocksource "$1/current_clocksource" "$wanted" 'not this kernel'
}

# --- the card -----------------------------------------------------------------------------------------------------

collect_nic() {
    local net=/proc/sys/net/core name=${HOST[nic.name]} key wanted parameter verdict reason=''
    value_of_file nic.busy_read $net/busy_read "${HOST[nic.busy_read]}" 'not this kernel: built without CONFIG_NET_RX_BUSY_POLL'
    value_of_file nic.busy_poll $net/busy_poll "${HOST[nic.busy_poll]}" 'not this kernel: built without CONFIG_NET_RX_BUSY_POLL'
    if [[ $name == keep ]]; then
        add nic.name kept - keep hand ''
        return
    fi
    if [[ ! -e $ROOT/sys/class/net/$name ]]; then
        reason="absent: no network card $name"
    elif ! read_coalescing "$name"; then
        reason=$REASON
    fi
    # Adaptive first: while it is on, a driver may ignore the fixed values.
    for key in adaptive_rx adaptive_tx rx_usecs tx_usecs; do
        wanted=${HOST[nic.$key]} parameter=${key//_/-}
        VALUE=${COALESCE[$parameter]:-n/a} verdict=differs REASON=$reason
        [[ -n $reason || $VALUE != n/a ]] || REASON="absent: the driver of $name has no $parameter"
        [[ -z $REASON ]] || verdict=unreadable VALUE=-
        [[ $VALUE != "$wanted" ]] || verdict=ok
        [[ $wanted != keep ]] || verdict=kept
        add "nic.$key" "$verdict" "$VALUE" "$wanted" ethtool "$name $parameter" "$REASON"
    done
    collect_numa "$name"
}

# The card's memory node against that of the isolated cores.
collect_numa() {
    local dir node nodes=0 at_cores='' near='' verdict=differs reason='' wanted
    for dir in "$ROOT"/sys/devices/system/node/node[0-9]*; do
        [[ -e $dir ]] || continue
        node=${dir##*/node} nodes=$((nodes + 1))
        read_value "/sys/devices/system/node/node$node/cpulist" || continue
        expand_cpus "$VALUE" || continue
        list_cpus
        has_common "$LIST" "$ISOLATED" && at_cores+=${at_cores:+,}$node
        NODE_CORES[node]=$LIST
    done
    wanted=${at_cores:-unknown}
    if [[ ! -e $ROOT/sys/class/net/$1 ]]; then
        add nic.numa_node unreadable - "$wanted" hand '' "absent: no network card $1"
        return
    fi
    # Of a device that is not on a bus of its own, as in most virtual machines, nothing is said.
    if ! read_value "/sys/class/net/$1/device/numa_node"; then
        if [[ $REASON == absent ]]; then VALUE=-1; else
            add nic.numa_node unreadable - "$wanted" hand '' "$REASON"
            return
        fi
    fi
    near=${NODE_CORES[$VALUE]:-}
    if ((nodes <= 1)); then
        verdict=ok reason='this machine has one node'
    elif ((VALUE < 0)); then
        verdict=unreadable reason='absent: the firmware does not say'
    elif [[ $VALUE == "$at_cores" ]]; then
        verdict=ok
    elif [[ $at_cores == *,* ]]; then
        reason="isolated cores lie on nodes $at_cores"
    fi
    add nic.numa_node "$verdict" "$VALUE" "$wanted" hand \
        "choose [cores] isolated and [nic] irq_cores from the cores of the card's node: ${near:-see lscpu}" "$reason"
}
declare -a NODE_CORES=()

# Says whether two lists share a core.
has_common() {
    local cpu
    local -a first=()
    expand_cpus "$1" && first=("${CPUS[@]}") && expand_cpus "$2" || return 1
    for cpu in "${first[@]}"; do [[ -z ${CPUS[cpu]:-} ]] || return 0; done
    return 1
}

# --- frequency, sleep, siblings: siblings last, because they take cores away ---------------------------------------------

collect_cpu() {
    local cpu cores=() deep=() dir before
    expand_cpus "$ALL_CORES"
    cores=("${CPUS[@]}")
    for cpu in "${cores[@]}"; do collect_governor "$cpu"; done
    expand_cpus "$ISOLATED${HOST[nic.irq_cores]:+,${HOST[nic.irq_cores]}}" || expand_cpus "$ISOLATED"
    deep=("${CPUS[@]}")
    for cpu in "${deep[@]}"; do
        dir=$ROOT/sys/devices/system/cpu/cpu$cpu/cpuidle
        if [[ ! -e $dir/state0 ]]; then
            collect_no_cstates "$cpu"
            continue
        fi
        before=${#I_KEY[@]}
        for dir in "$dir"/state[0-9]*; do collect_cstate "$cpu" "${dir##*/}"; done
        if ((${#I_KEY[@]} == before)); then
            add cpu.cstates ok 'none deeper' "at most ${HOST[cpu.cstate_latency_us_max]} us" hand '' '' '' cpu "$cpu"
        fi
    done
    collect_smt
}

collect_governor() {
    local dir=/sys/devices/system/cpu/cpu$1/cpufreq wanted=${HOST[cpu.governor]} now
    if [[ $wanted != keep ]] && read_value "$dir/scaling_governor" && [[ $VALUE != "$wanted" ]]; then
        now=$VALUE
        if read_value "$dir/scaling_available_governors" && [[ " $VALUE " != *" $wanted "* ]]; then
            add cpu.governor differs "$now" "$wanted" hand \
                "set the firmware's power profile to performance, or write a governor that there is into host.toml" "this driver offers only: $VALUE" '' cpu "$1"
            return
        fi
    fi
    # The path of a group of cores is told with % for the number.
    value_of_file cpu.governor "$dir/scaling_governor" "$wanted" \
        'no cpufreq (a virtual machine, or the firmware keeps it)' cpu "$1"
    template_last "/sys/devices/system/cpu/cpu%/cpufreq/scaling_governor"
}

collect_no_cstates() {
    local verdict=unreadable
    [[ ${HOST[cpu.cstate_latency_us_max]} != keep ]] || verdict=kept
    add cpu.cstates "$verdict" - "at most ${HOST[cpu.cstate_latency_us_max]} us" hand '' \
        'absent: no cpuidle (a virtual machine, or idle=poll)' '' cpu "$1"
}

collect_cstate() { # CPU STATE
    local dir=/sys/devices/system/cpu/cpu$1/cpuidle/$2 most=${HOST[cpu.cstate_latency_us_max]} wanted=1 name latency
    read_value "$dir/name" && name=$VALUE || name=$2
    if ! read_value "$dir/latency" || [[ ! $VALUE =~ ^[0-9]+$ ]]; then
        add cpu.cstates unreadable - "at most $most us" write "$dir/disable" "${REASON:-no number}" 1 cpu "$1" "$2 $name"
        return
    fi
    latency=$VALUE
    if [[ $most == keep ]]; then
        wanted=keep
    elif ((latency <= most)); then
        return
    fi
    value_of_file cpu.cstates "$dir/disable" "$wanted" 'not this kernel' cpu "$1" "$2 $name, $latency us"
    template_last "/sys/devices/system/cpu/cpu%/cpuidle/$2/disable"
}

# The path of the entry just added, if it was, so that entries of one kind are told together.
template_last() {
    local at=$((${#I_KEY[@]} - 1))
    ((at >= 0)) && [[ ${I_TARGET[at]} == "${1//%/${I_N[at]}}" ]] && I_TARGET[at]=$1
    return 0
}

collect_smt() {
    local control=/sys/devices/system/cpu/smt/control wanted=${HOST[cpu.smt]}
    # Off for good, or nothing to switch off.
    if [[ $wanted == off ]] && read_value $control && [[ $VALUE == forceoff || $VALUE == not* ]]; then
        add cpu.smt ok "$VALUE" off write $control
        return
    fi
    value_of_file cpu.smt $control "$wanted" 'not this kernel: built without CONFIG_HOTPLUG_SMT'
}

# --- limits, unit, journal, engine -----------------------------------------------------------------------------------

collect_limits() {
    read_limits
    limit_of_user limits.user_memlock 'Max locked memory' 'memlock'
    limit_of_user limits.user_rtprio 'Max realtime priority' 'rtprio'
    limit_of_unit limits.unit_memlock LimitMEMLOCK
    limit_of_unit limits.unit_rtprio LimitRTPRIO
}

declare -A LIMITS=()

# Soft limits of this process.
read_limits() {
    local line form='^(Max [a-z ]*[a-z])  +([^ ]+)'
    LIMITS=()
    while IFS= read -r line; do
        [[ $line =~ $form ]] && LIMITS[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]/unlimited/infinity}
    done 2>/dev/null <"$ROOT/proc/self/limits"
    return 0
}

limit_of_user() { # KEY NAME ITEM
    local now=${LIMITS[$2]:-} wanted=${HOST[$1]} verdict=differs reason=''
    if [[ -z $now ]]; then
        verdict=unreadable now=- reason='absent: /proc/self/limits'
    elif is_limit_enough "$now" "$wanted"; then
        verdict=ok
    fi
    [[ $wanted != keep ]] || verdict=kept
    add "$1" "$verdict" "$now" "$wanted" hand \
        "echo 'USER - $3 ${wanted/infinity/unlimited}' > /etc/security/limits.d/smc.conf; log in again" "$reason"
}

limit_of_unit() { # KEY NAME
    local wanted=${HOST[$1]} verdict=differs
    if [[ ${HOST[unit.name]} == keep ]]; then
        add "$1" kept - "$wanted" hand ''
        return
    fi
    if ! read_unit "$2"; then
        [[ $wanted == keep ]] && verdict=kept || verdict=unreadable
        add "$1" "$verdict" - "$wanted" hand "$INSTALL_UNIT" "$REASON"
        return
    fi
    # What the unit does not say is the manager's default, which is not known here: not enough, but for 0.
    if is_limit_enough "${VALUE:-none}" "$wanted"; then verdict=ok; fi
    [[ $wanted != keep ]] || verdict=kept
    add "$1" "$verdict" "${VALUE:-not set}" "$wanted" hand "systemctl edit ${HOST[unit.name]}: [Service] $2=$wanted"
}

# Says whether limit $1 is at least $2.
is_limit_enough() {
    [[ $1 == infinity || $2 == 0 ]] && return 0
    [[ $2 =~ ^[0-9]+$ && $1 =~ ^[0-9]+$ ]] && (($1 >= $2))
}

INSTALL_UNIT='install -m 644 tuning/smc.service /etc/systemd/system/; systemctl daemon-reload'

# What the installed unit and its drop-ins set $1 to -> VALUE: the last counts; lists of cores add up, an empty one begins anew.
read_unit() {
    local name=${HOST[unit.name]} dir file line found='' files=()
    local form="^[[:space:]]*$1[[:space:]]*=[[:space:]]*(.*[^[:space:]])?[[:space:]]*\$"
    for dir in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        [[ -z $found && -e $ROOT$dir/$name ]] && found=$ROOT$dir/$name
        for file in "$ROOT$dir/$name.d"/*.conf; do [[ -e $file ]] && files+=("$file"); done
    done
    VALUE=''
    [[ -n $found ]] || { REASON="absent: the unit $name is not installed"; return 1; }
    for file in "$found" "${files[@]}"; do
        [[ -r $file ]] || { REASON='not permitted'; return 1; }
        while IFS= read -r line || [[ -n $line ]]; do
            [[ $line =~ $form ]] || continue
            if [[ $1 == CPUAffinity && -n ${BASH_REMATCH[1]} ]]; then
                VALUE+=${VALUE:+ }${BASH_REMATCH[1]}
            else
                VALUE=${BASH_REMATCH[1]}
            fi
        done <"$file"
    done
}

collect_unit() {
    local verdict=differs now
    [[ ${HOST[unit.name]} != keep ]] || { add unit.cpu_affinity kept - keep hand ''; return; }
    if ! read_unit CPUAffinity; then
        add unit.cpu_affinity unreadable - "$ALL_CORES" hand "$INSTALL_UNIT" "$REASON"
        return
    fi
    now=${VALUE:-not set}
    # systemd takes spaces as well as commas between cores.
    if tidy_list "${VALUE//[ ,]/,}" && [[ $LIST == "$ALL_CORES" ]]; then verdict=ok; fi
    add unit.cpu_affinity "$verdict" "$now" "$ALL_CORES" hand \
        "systemctl edit ${HOST[unit.name]}: [Service] CPUAffinity= (once empty) and CPUAffinity=$ALL_CORES"
}

collect_journal() {
    local directory=${HOST[journal.directory]} wanted=${HOST[journal.file_systems]} at kind rest now='' best='' verdict=differs
    [[ $directory != keep ]] || { add journal.file_system kept - keep hand ''; return; }
    if [[ ! -r $ROOT/proc/mounts ]]; then
        add journal.file_system unreadable - "$wanted" hand '' 'absent: /proc/mounts'
        return
    fi
    # The longest place that the directory lies below; of two mounts on one place the later hides the other.
    while read -r _ at kind rest; do
        if [[ $at == / || $directory/ == "$at"/* ]] && ((${#at} >= ${#best})); then best=$at now=$kind; fi
    done <"$ROOT/proc/mounts"
    [[ -n $now && " $wanted " == *" $now "* ]] && verdict=ok
    add journal.file_system "$verdict" "${now:-unknown} on ${best:-no mount}" "$wanted" hand \
        "mount a local disk with one of these on $directory, or name another in process.journal"
}

# The engine's configuration says what host.toml says.
collect_engine() {
    local key line section='' now verdict
    local head='^[[:space:]]*\[+([^]]*)' pair='^[[:space:]]*([a-z_]+)[[:space:]]*=[[:space:]]*"?([^"#]*[^"#[:space:]])'
    [[ -n $ENGINE_CONFIG ]] || return 0
    [[ -r $ENGINE_CONFIG ]] || wrong_use "$ENGINE_CONFIG: no such file, or not permitted"
    local -A found=()
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line =~ $head ]]; then
            section=${BASH_REMATCH[1]}
        elif [[ $section == process && $line =~ $pair ]]; then
            found[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
        fi
    done <"$ENGINE_CONFIG"
    for key in topology idle first_core; do
        now=${found[$key]:-not set}
        verdict=differs
        [[ $now == "${HOST[process.$key]}" ]] && verdict=ok
        add "engine.$key" "$verdict" "$now" "${HOST[process.$key]}" hand \
            "write $key = ${HOST[process.$key]} into [process] of $ENGINE_CONFIG (words in quotes)"
    done
}

# --- why ------------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2034  # check prints it
why_of() { # KEY -> WHY
    case $1 in
        cores.online) WHY='The map and the machine must agree: a core in neither list runs whatever comes, a missing one nothing.' ;;
        boot.isolcpus) WHY='The scheduler puts nothing on these cores by itself, and managed interrupts stay off them where they can. A second runnable thread costs the engine a slice of milliseconds.' ;;
        boot.nohz_full) WHY='No timer tick on a core with one runnable thread: at 250 Hz each costs some microseconds, 250 times a second.' ;;
        boot.rcu_nocbs) WHY="The kernel's deferred work (RCU callbacks) runs on other cores." ;;
        boot.irqaffinity) WHY='New interrupts start on housekeeping cores, before anything else can move them.' ;;
        boot.*max_cstate) WHY='Cores do not sleep deeply from boot on. At run time cpu.cstates does the same for the cores that matter.' ;;
        boot.mitigations) WHY='A note. Turning them off can save part of each system call and opens the host to every program on it, so it is nothing to do lightly, and never where anything but the engine runs.' ;;
        irq.default) WHY='Where interrupts of drivers that are loaded later begin.' ;;
        irq.affinity) WHY="An interrupt on the engine's core takes it away for microseconds and cools its caches. Those of the card go to [nic] irq_cores." ;;
        irq.irqbalance) WHY='It spreads interrupts over all cores again, minutes after they were placed.' ;;
        memory.thp_enabled) WHY='Large pages only for who asks: no page is split or joined under a running thread.' ;;
        memory.thp_defrag) WHY='Making a large page never waits for memory to be moved together.' ;;
        memory.huge_pages_2m) WHY="Reserved pages for Onload's packet buffers. The engine itself asks for none." ;;
        memory.swap) WHY='The engine writes all its pages at the start but does not lock them: what is swapped out costs milliseconds when touched.' ;;
        kernel.clocksource) WHY='Reading the clock is then some 20 ns in the process; other sources are a system call.' ;;
        kernel.rt_runtime_us) WHY='Real-time threads leave others this part of each second. -1 lets one that spins take its core for good: only on isolated cores.' ;;
        kernel.stat_interval_s) WHY='How often each core adds up its memory statistics: a kernel thread on every core.' ;;
        kernel.numa_balancing) WHY='It takes pages away from the process to see who uses them: page faults while trading.' ;;
        kernel.nmi_watchdog) WHY='A hardware counter that interrupts each core every some seconds.' ;;
        kernel.workqueues) WHY="The kernel's unbound work runs on housekeeping cores." ;;
        nic.name) WHY='The card that the venues are reached by.' ;;
        nic.adaptive_* | nic.?x_usecs) WHY='The card tells of a packet at once instead of gathering some. Costs interrupts, on the cores of [nic] irq_cores.' ;;
        nic.busy_read) WHY="A read of an empty socket looks into the card's queue itself instead of waiting for interrupt and softirq; the engine's reads do not block, so each looks once." ;;
        nic.busy_poll) WHY='Makes poll, select and epoll spin in every program of the host. The engine reads its sockets directly, so it gains nothing by it.' ;;
        nic.numa_node) WHY="A packet that crosses to the other socket's memory costs some hundred nanoseconds, each way." ;;
        cpu.governor) WHY='No rise of the clock after a quiet moment.' ;;
        cpu.cstates) WHY="Waking from a deep state takes up to its latency, and its caches may be gone. A spinning core never sleeps; the card's cores do." ;;
        cpu.smt) WHY="A thread on the sibling shares the engine's caches and execution units." ;;
        limits.*memlock) WHY='Packet buffers of Onload and AF_XDP are locked memory. The engine locks none itself.' ;;
        limits.*rtprio) WHY='The engine asks for no real-time priority: on an isolated core it has nobody to be preferred to.' ;;
        unit.cpu_affinity) WHY='Processes start without isolated cores: the unit must name them. process.first_core counts in this list.' ;;
        journal.file_system) WHY='The journal is mapped memory. On a network file system a page fault waits for the network.' ;;
        engine.*) WHY="The engine's threads sit where this map says only if its own configuration says the same." ;;
        *) WHY='' ;;
    esac
}
