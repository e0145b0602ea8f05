#!/usr/bin/env bats
# descriptors: none of the runtime's or its caller's reach the container.
load helpers

fds='for f in /proc/self/fd/*; do readlink $f; done | sort | uniq -c | sort -rn; ls /proc/self/fd | wc -l'

@test "a container has the three standard streams alone" {
	args ls /proc/self/fd
	go
	ok
	# ls itself holds one for the folder.
	[ "${#lines[@]}" -le 4 ]
}

@test "what a careless caller left open stays out" {
	args ls -l /proc/self/fd
	run bash -c "exec 5</etc/passwd 7</ 200</etc/group; $RINGFENCE --root $T/state run -b $b $id </dev/null"
	ok
	hasnt /etc/
	[ "${#lines[@]}" -le 6 ] # with "total" and what ls says of its own
}

@test "--preserve-fds passes what was asked, and no more" {
	echo three >"$T/f3"
	echo five >"$T/f5"
	sh_args 'cat <&3; ls /proc/self/fd'
	run bash -c "exec 3<$T/f3 5<$T/f5; $RINGFENCE --root $T/state run --preserve-fds 1 -b $b $id </dev/null"
	ok
	[ "${lines[0]}" = three ]
	[ "${#lines[@]}" -le 6 ]
}

@test "a descriptor that the caller didn't open is refused, ours is none of it" {
	args true
	run bash -c "exec 3>&- 4>&-; $RINGFENCE --root $T/state create --preserve-fds 2 -b $b $id </dev/null"
	[ "$status" = 1 ]
	has "file descriptor 3 is to be preserved, but isn't open"
	[ ! -e "$T/state/$id" ]
	up
	run bash -c "exec 3>&- 4>&-; $RINGFENCE --root $T/state exec --preserve-fds 2 $id true </dev/null"
	[ "$status" -ne 0 ]
	has "file descriptor 3 is to be preserved, but isn't open"
	down
}

@test "LISTEN_FDS works as --preserve-fds does" {
	echo three >"$T/f3"
	sh_args 'cat <&3; echo $LISTEN_FDS'
	run bash -c "exec 3<$T/f3; LISTEN_FDS=1 $RINGFENCE --root $T/state run -b $b $id </dev/null"
	ok
	has three
}

@test "a micro-VM is refused descriptors of the host, not started without" {
	need_vm
	args true
	run bash -c "exec 3</dev/null; $RINGFENCE --root $T/state run --isolation=microvm --preserve-fds 1 -b $b $id </dev/null"
	[ "$status" -ne 0 ]
	has "--preserve-fds (or LISTEN_FDS): a micro-VM can't do it"
	run bash -c "exec 3</dev/null; LISTEN_FDS=1 $RINGFENCE --root $T/state run --isolation=microvm -b $b $id </dev/null"
	[ "$status" -ne 0 ]
	has "--preserve-fds (or LISTEN_FDS): a micro-VM can't do it"
}

@test "exec passes none either" {
	up
	run bash -c "exec 5</etc/passwd; $RINGFENCE --root $T/state exec $id ls -l /proc/self/fd </dev/null"
	ok
	hasnt /etc/
	down
}

@test "a hook gets no descriptor of the runtime's" {
	cfg --arg l "$T/log" '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", ("ls /proc/self/fd | wc -l >" + $l)]}]'
	args true
	run bash -c "exec 5</etc/passwd; $RINGFENCE --root $T/state run -b $b $id </dev/null 3>&-"
	ok
	! ours || [ "$(cat "$T/log")" -le 4 ]
}

@test "closed standard streams don't confuse it" {
	args true
	run bash -c "$RINGFENCE --root $T/state run -b $b $id <&- >&- 2>&-"
	ok
}
