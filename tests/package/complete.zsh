# What zsh makes of a line and a tab: complete.zsh FUNCTION-DIR LINE, typed into a terminal.
# The line as it stands afterwards is printed.
emulate -R zsh
zmodload zsh/zpty
folder=$(mktemp -d) || exit
export folder ZDOTDIR=$folder
print -r -- 'PS1= PS2= fpath=('$1' $fpath)
autoload -U compinit; compinit -u -D
bindkey "^I" complete-word
show() { print -r -- "$BUFFER" >$folder/made.new; mv $folder/made.new $folder/made; exit }
zle -N show; bindkey "^Xs" show
zle-line-init() { : >$folder/ready }
zle -N zle-line-init' >$folder/.zshrc
zpty -b shell zsh -d -i
wait_for() {
	repeat 200; do
		[[ ! -e $1 ]] || return 0
		zpty -r -t shell seen
		sleep 0.05
	done
	print -u2 "no $1: $seen"
	return 1
}
wait_for $folder/ready && zpty -w -n shell "$2"$'\t\030s' && wait_for $folder/made && cat $folder/made
rc=$?
zpty -d shell
rm -rf -- $folder
exit $rc
