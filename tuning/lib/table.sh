# shellcheck shell=bash
# The entries of settings.sh, gathered: those that differ only in the number of a core or interrupt are one row.

G_FIRST=() G_NUMBERS=()

gather() {
    local at key row
    local -A row_of=()
    G_FIRST=() G_NUMBERS=()
    for at in "${!I_KEY[@]}"; do
        key="${I_KEY[at]}|${I_LABEL[at]}|${I_UNIT[at]}|${I_HOW[at]}|${I_NOW[at]}|${I_WANTED[at]}|${I_VERDICT[at]}|${I_REASON[at]}"
        [[ -n ${I_UNIT[at]} ]] || key+="|${I_TARGET[at]}"
        row=${row_of[$key]:-}
        if [[ -n $row ]]; then
            G_NUMBERS[row]+=" ${I_N[at]}"
        else
            row_of[$key]=${#G_FIRST[@]}
            G_NUMBERS+=("${I_N[at]}")
            G_FIRST+=("$at")
        fi
    done
}

# Where row $1 applies, such as `cpu 2-3` -> WHERE; empty where there is one place only.
where_of() {
    local at=${G_FIRST[$1]} n
    WHERE=''
    [[ -n ${I_UNIT[at]} ]] || return 0
    CPUS=()
    for n in ${G_NUMBERS[$1]}; do CPUS[n]=$n; done
    list_cpus
    WHERE="${I_UNIT[at]} $LIST${I_LABEL[at]:+ ${I_LABEL[at]}}"
}

# What a person types as root to set row $1 -> COMMAND; empty where nothing is to be done, or nothing can be.
command_of() {
    local at=${G_FIRST[$1]} target
    COMMAND=''
    case ${I_VERDICT[at]}:${I_HOW[at]} in
        differs:* | unreadable:hand) ;;
        *) return 0 ;;
    esac
    target=${I_TARGET[at]}
    case ${I_HOW[at]} in
        write)
            if [[ $target != *%* ]]; then
                COMMAND="echo ${I_WRITE[at]} > $target"
            elif [[ ${G_NUMBERS[$1]} == *\ * ]]; then
                COMMAND="for n in ${G_NUMBERS[$1]}; do echo ${I_WRITE[at]} > ${target//%/\$n}; done"
            else
                COMMAND="echo ${I_WRITE[at]} > ${target//%/${G_NUMBERS[$1]}}"
            fi
            ;;
        ethtool) COMMAND="ethtool -C $target ${I_WRITE[at]}" ;;
        boot)
            [[ -z ${BOOT[$target]:-} ]] || COMMAND="add $target=${BOOT[$target]} to the kernel's command line and reboot"
            ;;
        hand) COMMAND=$target ;;
    esac
}

# How row $1 is changed -> CHANGED.
# shellcheck disable=SC2034  # check prints it
changed_how() {
    case ${I_HOW[${G_FIRST[$1]}]} in
        write | ethtool) CHANGED='run time' ;;
        boot) CHANGED=boot ;;
        *) CHANGED='by hand' ;;
    esac
}

declare -A COUNTS=()

count_verdicts() {
    local at
    COUNTS=([ok]=0 [differs]=0 [unreadable]=0 [kept]=0 [note]=0)
    for at in "${G_FIRST[@]}"; do COUNTS[${I_VERDICT[at]}]=$((COUNTS[${I_VERDICT[at]}] + 1)); done
}
