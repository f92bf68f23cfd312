# shellcheck shell=bash
# Words that check, apply, revert and cmdline share: messages, lists of cores, one value of /proc or /sys.
# Sourced, never run. Nothing here changes the host but `write_target`.

PROGRAM=${0##*/}
# Paths of the host are looked for below this; empty is the host itself.
ROOT=

wrong_use() {
    printf '%s: %s\n' "$PROGRAM" "$*" >&2
    exit 2
}

# --- lists of cores, as the kernel writes them: 0-2,5 ------------------------------------------------------------

# The cores of the last list or mask that was read, each at its own number: so sorted, and each once.
declare -a CPUS=()

# The text $1 -> CPUS. Fails on what is no list. An empty text is no core.
expand_cpus() {
    CPUS=()
    [[ -n $1 ]] || return 0
    [[ $1 =~ ^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$ ]] || return 1
    local IFS=, piece first last cpu
    for piece in $1; do
        first=$((10#${piece%-*})) last=$((10#${piece#*-}))
        ((first <= last)) || return 1
        for ((cpu = first; cpu <= last; cpu++)); do CPUS[cpu]=$cpu; done
    done
}

# A mask as the kernel writes it (hexadecimal, a comma before each 32 bits) -> CPUS.
expand_mask() {
    CPUS=()
    local mask=${1//,/} at=0 digit bit
    [[ $mask =~ ^[0-9a-fA-F]+$ ]] || return 1
    while [[ -n $mask ]]; do
        digit=$((16#${mask: -1}))
        for bit in 0 1 2 3; do
            ((digit >> bit & 1)) && CPUS[at + bit]=$((at + bit))
        done
        mask=${mask%?}
        at=$((at + 4))
    done
    return 0
}

# CPUS -> LIST, its shortest text.
list_cpus() {
    LIST=
    local cpu first=-1 last=-1
    for cpu in "${CPUS[@]}" end; do
        if [[ $cpu != end ]] && ((cpu == last + 1 && first >= 0)); then
            last=$cpu
            continue
        fi
        if ((first >= 0)); then
            LIST+=${LIST:+,}$first
            ((first == last)) || LIST+=-$last
        fi
        [[ $cpu == end ]] || first=$cpu last=$cpu
    done
}

# The shortest text of the list $1 -> LIST. Fails on what is no list.
tidy_list() {
    expand_cpus "$1" && list_cpus
}

# CPUS -> MASK, as the kernel takes it.
mask_cpus() {
    local -a groups=(0)
    local cpu at
    for cpu in "${CPUS[@]}"; do
        groups[cpu / 32]=$((${groups[cpu / 32]:-0} | 1 << cpu % 32))
    done
    local last=0
    for at in "${!groups[@]}"; do last=$at; done
    printf -v MASK %x "${groups[last]}"
    for ((at = last - 1; at >= 0; at--)); do
        printf -v MASK '%s,%08x' "$MASK" "${groups[at]:-0}"
    done
}

declare -A IS_WITHIN=()

# Says whether every core of list $1 is in list $2. Remembered: a host has hundreds of interrupts with one list.
is_within() {
    local key="$1 $2" cpu
    if [[ -z ${IS_WITHIN[$key]:-} ]]; then
        local -a outer=()
        IS_WITHIN[$key]=no
        expand_cpus "$2" || return 1
        for cpu in "${CPUS[@]}"; do outer[cpu]=1; done
        expand_cpus "$1" || return 1
        IS_WITHIN[$key]=yes
        for cpu in "${CPUS[@]}"; do [[ -n ${outer[cpu]:-} ]] || IS_WITHIN[$key]=no; done
    fi
    [[ ${IS_WITHIN[$key]} == yes ]]
}

# --- one value of the host ----------------------------------------------------------------------------------------

# First line of the host's file $1 -> VALUE, or fails with the REASON: absent, not permitted, not readable.
# Of a choice (`always [madvise] never`) the chosen word.
read_value() {
    VALUE='' REASON=''
    local path=$ROOT$1 file
    if [[ ! -e $path ]]; then
        REASON=absent
        return 1
    fi
    if ! { exec {file}<"$path"; } 2>/dev/null; then
        if [[ -r $path ]]; then REASON='the kernel refuses to open it'; else REASON='not permitted'; fi
        return 1
    fi
    # An empty file has no line, and is a value all the same.
    if ! IFS= read -r VALUE <&"$file" 2>/dev/null && [[ -s $path ]]; then
        [[ -n $VALUE ]] || REASON='the kernel refuses to read it'
    fi
    exec {file}<&-
    [[ -z $REASON ]] || return 1
    if [[ $VALUE == *\[*\]* ]]; then
        VALUE=${VALUE#*\[}
        VALUE=${VALUE%%\]*}
    fi
}

# Path of the host's ethtool -> ETHTOOL. A fake host has its own, or none.
find_ethtool() {
    local dir
    ETHTOOL=
    for dir in /usr/sbin /sbin /usr/bin /usr/local/sbin; do
        if [[ -x $ROOT$dir/ethtool ]]; then
            ETHTOOL=$ROOT$dir/ethtool
            return 0
        fi
    done
    return 1
}

declare -A COALESCE=()

# Coalescing of card $1 -> COALESCE[rx-usecs] and so on; or fails with the REASON.
read_coalescing() {
    COALESCE=()
    local text line adaptive='^Adaptive RX: +([^ ]+) +TX: +([^ ]+)' plain='^([a-z-]+):[[:space:]]+([^ ]+)$'
    find_ethtool || { REASON='absent: ethtool is not installed'; return 1; }
    text=$("$ETHTOOL" -c "$1" 2>&1) || { REASON="absent: ethtool says: ${text//$'\n'/ }"; return 1; }
    while IFS= read -r line; do
        if [[ $line =~ $adaptive ]]; then
            COALESCE[adaptive-rx]=${BASH_REMATCH[1]}
            COALESCE[adaptive-tx]=${BASH_REMATCH[2]}
        elif [[ $line =~ $plain ]]; then
            COALESCE[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
        fi
    done <<<"$text"
}

# --- a value that can be changed: how (`write`, `ethtool`) and its target (a path; a card and a parameter) -----------

# -> VALUE, or fails with the REASON.
read_target() {
    case $1 in
        write) read_value "$2" ;;
        ethtool)
            read_coalescing "${2% *}" || return 1
            VALUE=${COALESCE[${2#* }]:-}
            [[ -n $VALUE ]] || { REASON='absent: this driver does not have it'; return 1; }
            ;;
    esac
}

# Writes $3, or fails with the REASON.
write_target() {
    local error
    case $1 in
        write)
            { printf '%s\n' "$3" >"$ROOT$2"; } 2>/dev/null && return 0
            # Once more, for the reason.
            error=$({ printf '%s\n' "$3" >"$ROOT$2"; } 2>&1) && return 0
            # Bash says `file: line n: path: what`, or `file: line n: printf: write error: what`.
            REASON=${error##*: }
            ;;
        ethtool)
            find_ethtool || { REASON='ethtool is not installed'; return 1; }
            error=$("$ETHTOOL" -C "${2% *}" "${2#* }" "$3" 2>&1) && return 0
            REASON="ethtool says: ${error//$'\n'/ }"
            ;;
    esac
    return 1
}

# Says whether $2 and $3 are the same value of target $1. Masks differ in their leading zeros.
is_same() {
    [[ $2 == "$3" ]] && return 0
    [[ $1 == */cpumask || $1 == */default_smp_affinity ]] || return 1
    local first
    expand_mask "$2" || return 1
    list_cpus
    first=$LIST
    expand_mask "$3" || return 1
    list_cpus
    [[ $first == "$LIST" ]]
}
