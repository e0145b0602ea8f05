#!/usr/bin/env bats
# hooks: order, input, namespace, and what a failing one does.
load helpers

extra_setup() {
	cat >"$T/hook" <<'H'
#!/bin/sh
# hook NAME LOG: notes the name and the state it was given
s=$(cat)
echo "$1 $(printf %s "$s" | jq -r .status) $(readlink /proc/self/ns/mnt | tr -dc 0-9) $(printf %s "$s" | jq -r .pid)" >>"$2"
H
	chmod +x "$T/hook"
}

# hook KIND: adds one that notes its name.
hook() { cfg --arg k "$1" --arg h "$T/hook" --arg l "$T/log" '.hooks[$k] += [{path: $h, args: ["hook", $k, $l], env: ["PATH=/usr/bin:/bin"]}]'; }

@test "prestart, createRuntime, poststart and poststop run in order with the right states" {
	hook prestart
	hook createRuntime
	hook poststart
	hook poststop
	args true
	go
	ok
	[ "$(awk '{ print $1 }' "$T/log" | tr '\n' ' ')" = "prestart createRuntime poststart poststop " ]
	awk '$1 == "poststop" && $2 != "stopped" { exit 1 }' "$T/log"
}

@test "they run on the host, with the container's pid" {
	hook createRuntime
	args sleep 1000
	create
	read -r _ _ ns p <"$T/log"
	[ "$ns" = "$(readlink /proc/self/ns/mnt | tr -dc 0-9)" ]
	[ "$p" = "$(pid)" ]
	rf delete --force "$id"
}

@test "startContainer runs in the container, before the program" {
	printf '#!/bin/sh\necho hook in $(hostname) >/dev/shm/hook\n' >"$b/rootfs/bin/hook"
	chmod +x "$b/rootfs/bin/hook"
	cfg '.hooks.startContainer = [{path: "/bin/hook", env: ["PATH=/bin"]}] | .hostname = "inside" | .process.args = ["cat", "/dev/shm/hook"]'
	go
	is "hook in inside"
}

@test "a failing prestart or createRuntime hook fails create and leaves nothing" {
	for k in prestart createRuntime createContainer; do
		cfg --arg k "$k" 'del(.hooks) | .hooks[$k] = [{path: "/bin/sh", args: ["sh", "-c", "echo broken >&2; exit 3"]}]'
		go
		refused
	done
}

@test "a failing hook's words reach the error" {
	only_ours
	cfg '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "echo broken-pipe-dream >&2; exit 3"]}]'
	go
	refused "broken-pipe-dream"
	has createRuntime
}

@test "a missing hook fails create" {
	cfg '.hooks.createRuntime = [{path: "/none/such"}]'
	go
	refused /none/such
}

@test "a hook that takes too long is killed" {
	cfg '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1}]'
	begin=$SECONDS
	go
	refused
	[ $((SECONDS - begin)) -lt 5 ]
}

@test "a failing poststop hook doesn't keep the container" {
	cfg '.hooks.poststop = [{path: "/bin/false"}]'
	args true
	run rf run -b "$b" "$id" </dev/null
	[ -z "$(rf list -q)" ]
}

@test "a failing startContainer hook stops the container" {
	printf '#!/bin/sh\nexit 3\n' >"$b/rootfs/bin/hook"
	chmod +x "$b/rootfs/bin/hook"
	cfg '.hooks.startContainer = [{path: "/bin/hook"}]'
	args echo program
	go
	[ "$status" -ne 0 ]
	hasnt program
	rf delete --force "$id"
}
