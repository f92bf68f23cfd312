# shellcheck shell=bash
# Reads host.toml: `[section]`, `key = "text"`, `key = 12`, comments. Strict: what is not understood is wrong use, by line.
# Gives HOST[section.key], and the cores as lists.

# What each key may be: `cpus`, `count`, `word:A|B`, `text`; `?` before it: may be missing; `!` after it: "keep" is no choice.
declare -A KINDS=(
    [cores.housekeeping]='cpus!' [cores.isolated]='cpus!'
    [process.topology]='word:inline|pipelined!' [process.idle]='word:spin|yield|park!' [process.first_core]='count!'
    [threads.engine]='count!' [threads.feed]='?count!' [threads.gateway]='?count!'
    [irq.affinity]='word:housekeeping' [irq.irqbalance]='word:stopped'
    [nic.name]=text [nic.irq_cores]=cpus [nic.adaptive_rx]='word:on|off' [nic.adaptive_tx]='word:on|off'
    [nic.rx_usecs]=count [nic.tx_usecs]=count [nic.busy_read]=count [nic.busy_poll]=count
    [boot.isolcpus]=flags [boot.nohz_full]='word:isolated' [boot.rcu_nocbs]='word:isolated'
    [boot.irqaffinity]='word:housekeeping' [boot.max_cstate]=count
    [cpu.governor]=text [cpu.cstate_latency_us_max]=count [cpu.smt]='word:on|off'
    [memory.thp_enabled]='word:always|madvise|never' [memory.thp_defrag]='word:always|defer|defer+madvise|madvise|never'
    [memory.huge_pages_2m]=count [memory.swap]='word:none'
    [kernel.clocksource]=text [kernel.rt_runtime_us]=integer [kernel.stat_interval_s]=count
    [kernel.numa_balancing]=count [kernel.nmi_watchdog]=count [kernel.workqueues]='word:housekeeping'
    [limits.unit_memlock]=limit [limits.unit_rtprio]=limit [limits.user_memlock]=limit [limits.user_rtprio]=limit
    [unit.name]=text
    [journal.directory]=text [journal.file_systems]='text!'
)

declare -A HOST=()
declare -A HOST_LINE=()

host_error() { # LINE TEXT
    wrong_use "$HOST_FILE:$1: $2"
}

# --- the file -----------------------------------------------------------------------------------------------------

load_host() { # FILE
    HOST_FILE=$1
    [[ -f $HOST_FILE && -r $HOST_FILE ]] || wrong_use "$HOST_FILE: no such file, or not permitted"
    local line section='' key value number=0
    # A comment may follow a value, and a text holds no quotes.
    local text='^"([^"]*)"[[:space:]]*(#.*)?$' bare='^(-?[0-9]+)[[:space:]]*(#.*)?$'
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        line=${line%$'\r'}
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        if [[ $line =~ ^\[([a-z_]+)\][[:space:]]*(#.*)?$ ]]; then
            section=${BASH_REMATCH[1]}
            is_section "$section" || host_error "$number" "no section [$section] is known"
            continue
        fi
        [[ $line =~ ^([A-Za-z0-9_.-]+)[[:space:]]*=[[:space:]]*(.*)$ ]] ||
            host_error "$number" "neither a section nor \`key = value\`: $line"
        key=${section:+$section.}${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
        [[ -n ${KINDS[$key]:-} ]] || host_error "$number" "unknown key $key"
        [[ -z ${HOST_LINE[$key]:-} ]] || host_error "$number" "$key stands in line ${HOST_LINE[$key]} already"
        if [[ $value =~ $text ]]; then
            set_key "$number" "$key" text "${BASH_REMATCH[1]}"
        elif [[ $value =~ $bare ]]; then
            set_key "$number" "$key" bare "${BASH_REMATCH[1]}"
        else
            host_error "$number" "$key: expected a text in quotes or a whole number, found: $value"
        fi
    done <"$HOST_FILE"
    for key in "${!KINDS[@]}"; do
        [[ -n ${HOST_LINE[$key]:-} || ${KINDS[$key]} == \?* ]] || wrong_use "$HOST_FILE: $key is missing"
    done
    check_cores
}

is_section() {
    local key
    for key in "${!KINDS[@]}"; do [[ $key != "$1".* ]] || return 0; done
    return 1
}

set_key() { # LINE KEY FORM VALUE
    local kind=${KINDS[$2]#\?} form=$3 value=$4
    HOST_LINE[$2]=$1
    if [[ $form == text && $value == keep && $kind != *! ]]; then
        HOST[$2]=keep
        return
    fi
    kind=${kind%!}
    case $kind in
        count | integer)
            [[ $form == bare && ($kind == integer || $value != -*) ]] || host_error "$1" "$2: expected a whole number"
            ;;
        limit)
            [[ $value == infinity || ($form == bare && $value != -*) ]] ||
                host_error "$1" "$2: expected a whole number or \"infinity\""
            ;;
        cpus)
            if [[ $form != text || -z $value ]] || ! tidy_list "$value"; then
                host_error "$1" "$2: expected a list of cores such as \"0-2,5\", found: $value"
            fi
            value=$LIST
            ;;
        flags)
            [[ $form == text && $value =~ ^(domain|nohz|managed_irq)(,(domain|nohz|managed_irq))*$ ]] ||
                host_error "$1" "$2: expected some of domain, nohz, managed_irq, with commas"
            ;;
        word:*)
            [[ $form == text && -n $value && "|${kind#word:}|" == *"|$value|"* ]] ||
                host_error "$1" "$2: expected one of ${kind#word:}, found: $value"
            ;;
        text)
            # Goes into paths and printed commands.
            [[ $form == text && $value =~ ^[A-Za-z0-9_.@/:\ -]+$ && $value != *..* ]] ||
                host_error "$1" "$2: expected a text of letters, digits and _.@/:-"
            ;;
    esac
    HOST[$2]=$value
}

# --- the core map -------------------------------------------------------------------------------------------------

# Relations between keys. Gives HOUSEKEEPING, ISOLATED and ALL_CORES as lists: the last is the unit's CPUAffinity.
check_cores() {
    HOUSEKEEPING=${HOST[cores.housekeeping]} ISOLATED=${HOST[cores.isolated]}
    local -a inner=()
    local cpu thread threads=(engine) nth
    expand_cpus "$ISOLATED"
    inner=("${CPUS[@]}")
    [[ ${inner[0]} != 0 ]] || host_error "${HOST_LINE[cores.isolated]}" 'cores.isolated: core 0 cannot be isolated'
    expand_cpus "$HOUSEKEEPING"
    for cpu in "${inner[@]}"; do
        [[ -z ${CPUS[cpu]:-} ]] ||
            host_error "${HOST_LINE[cores.isolated]}" "cores.isolated: core $cpu is a housekeeping core"
        CPUS[cpu]=$cpu
    done
    list_cpus
    ALL_CORES=$LIST
    local -a allowed=("${CPUS[@]}")
    if [[ ${HOST[process.topology]} == pipelined ]]; then
        threads+=(feed gateway)
    else
        for thread in feed gateway; do
            [[ -z ${HOST_LINE[threads.$thread]:-} ]] ||
                host_error "${HOST_LINE[threads.$thread]}" "threads.$thread: process.topology is inline, which has no such thread"
        done
    fi
    for nth in "${!threads[@]}"; do
        thread=${threads[nth]}
        [[ -n ${HOST_LINE[threads.$thread]:-} ]] || wrong_use "$HOST_FILE: threads.$thread is missing (topology pipelined)"
        check_thread "$thread" $((${HOST[process.first_core]} + nth)) "${allowed[@]}"
    done
    if [[ ${HOST[nic.irq_cores]} != keep ]] && ! is_within "${HOST[nic.irq_cores]}" "$HOUSEKEEPING"; then
        host_error "${HOST_LINE[nic.irq_cores]}" "nic.irq_cores: not all are housekeeping cores ($HOUSEKEEPING)"
    fi
}

check_thread() { # THREAD NTH ALLOWED…
    local thread=$1 nth=$2 core=${HOST[threads.$1]} line=${HOST_LINE[threads.$1]}
    shift 2
    local -a allowed=("$@")
    [[ ${allowed[nth]:-none} == "$core" ]] ||
        host_error "$line" "threads.$thread: process.first_core puts it on core ${allowed[nth]:-none} (the ${nth}th of $ALL_CORES, from 0), not on $core"
    is_within "$core" "$ISOLATED" ||
        host_error "$line" "threads.$thread: core $core is not isolated ($ISOLATED)"
}

# --- the kernel's command line --------------------------------------------------------------------------------------

# -> BOOT_NAMES, and BOOT[name], in their order.
boot_parameters() {
    BOOT_NAMES=()
    declare -gA BOOT=()
    local key
    for key in isolcpus nohz_full rcu_nocbs irqaffinity max_cstate; do
        local value=${HOST[boot.$key]}
        [[ $value != keep ]] || continue
        case $key in
            isolcpus) boot_parameter isolcpus "$value,$ISOLATED" ;;
            irqaffinity) boot_parameter irqaffinity "$HOUSEKEEPING" ;;
            max_cstate)
                boot_parameter intel_idle.max_cstate "$value"
                boot_parameter processor.max_cstate "$value"
                ;;
            *) boot_parameter "$key" "$ISOLATED" ;;
        esac
    done
}

boot_parameter() {
    BOOT_NAMES+=("$1")
    BOOT[$1]=$2
}
