# shellcheck shell=bash
# What values were before `apply` changed them: a file, one line a value, `how TAB target TAB value`, under a first line that
# names the boot. Every value is in it, and on the disk, before the first one is changed; a value leaves it only when
# `revert` has read it back. So whatever moment `apply` dies at, `revert` knows what there was.

STATE_WORD=smc-tuning-saved-1
# Lines of the file, oldest first.
S_HOW=() S_TARGET=() S_VALUE=()
STATE_BOOT=

# What a reboot changes: with it goes everything that was written, and numbers of interrupts may mean others.
this_boot() {
    read_value /proc/sys/kernel/random/boot_id || VALUE=unknown
    BOOT_ID=$VALUE
}

# One at a time: two would save what the other has written.
lock_state() {
    local dir
    dir=$(dirname -- "$STATE")
    mkdir -p -- "$dir" || wrong_use "$STATE: its directory cannot be made"
    # Whoever owns the directory could put another file into the place of ours.
    [[ -O $dir ]] || wrong_use "$STATE: its directory belongs to another user"
    { exec {STATE_LOCK}>"$STATE.lock"; } 2>/dev/null || wrong_use "$STATE.lock: cannot be written"
    if command -v flock >/dev/null && ! flock -n "$STATE_LOCK"; then
        wrong_use "$STATE: another apply or revert is at work"
    fi
}

# Fills the S_ lists. Fails when there is no file. A file that is not ours is refused: a line of it is what root writes where.
load_state() {
    S_HOW=() S_TARGET=() S_VALUE=() STATE_BOOT=
    local number=1 mode how target value word boot rest
    [[ -e $STATE || -L $STATE ]] || return 1
    [[ -f $STATE && ! -L $STATE && -O $STATE ]] || wrong_use "$STATE: not a file of this user"
    mode=$(stat -c %a -- "$STATE") || wrong_use "$STATE: cannot be looked at"
    (((8#$mode & 8#022) == 0)) || wrong_use "$STATE: others may write it, so it is not believed"
    {
        IFS=$'\t' read -r word boot rest
        [[ $word == "$STATE_WORD" && -n $boot && -z $rest ]] || wrong_use "$STATE:1: not a file of saved values"
        STATE_BOOT=$boot
        while IFS=$'\t' read -r how target value rest; do
            number=$((number + 1))
            if ! is_state_line "$how" "$target" || [[ -z $value || -n $rest ]]; then
                wrong_use "$STATE:$number: not a saved value: $how $target $value"
            fi
            S_HOW+=("$how") S_TARGET+=("$target") S_VALUE+=("$value")
        done
    } <"$STATE"
}

is_state_line() {
    case $1 in
        write)
            [[ $2 != *..* ]] || return 1
            case $2 in
                /proc/sys/* | /proc/irq/* | /sys/devices/system/* | /sys/devices/virtual/workqueue/* | /sys/kernel/mm/*) ;;
                *) return 1 ;;
            esac
            ;;
        ethtool) [[ $2 =~ ^[A-Za-z0-9_.@:-]+\ (adaptive-rx|adaptive-tx|rx-usecs|tx-usecs)$ ]] ;;
        *) return 1 ;;
    esac
}

# Writes the S_ lists: a new file beside, on the disk, then in the place of the old one.
store_state() {
    local at new=$STATE.new
    {
        rm -f -- "$new"
        (
            umask 077
            printf '%s\t%s\n' "$STATE_WORD" "$STATE_BOOT"
            for at in "${!S_HOW[@]}"; do printf '%s\t%s\t%s\n' "${S_HOW[at]}" "${S_TARGET[at]}" "${S_VALUE[at]}"; done
        ) >"$new" && chmod 600 -- "$new" && sync -- "$new" && mv -f -- "$new" "$STATE" && sync -- "$(dirname -- "$STATE")"
    } || wrong_use "$STATE: cannot be written, so no value is changed on its account"
}

# Says whether a value of this target is saved.
is_saved() {
    local at
    for at in "${!S_HOW[@]}"; do [[ ${S_HOW[at]} == "$1" && ${S_TARGET[at]} == "$2" ]] && return 0; done
    return 1
}
