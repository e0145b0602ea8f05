# What bash would offer: complete.bash SCRIPT WORD… (the last word is the one being typed, and
# words part where readline parts them); one offer a line.
# shellcheck shell=bash source=/dev/null
. "$1" || exit
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
# Only readline may call it.
compopt() { :; }
_ringfence ringfence "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
