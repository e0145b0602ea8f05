#!/usr/bin/env bats
# system calls that an agent on the host answers.
load helpers

extra_setup() {
	need_helper notifier
	cfg --arg s "$T/agent" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: $s,
		listenerMetadata: "whose is it", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY"}]}'
}

agent() {
	"$helpers/notifier" "$T/agent" "$T/states" "${1:-28}" 2>"$T/agent.err" 3>&- &
	agent=$!
	until_true test -S "$T/agent"
}

extra_teardown() {
	[ -z "${agent:-}" ] || { kill -KILL "$agent" && wait "$agent" || true; }
}

@test "run: the agent's errno reaches the program, with and without noNewPrivileges" {
	agent
	local nnp
	for nnp in true false; do
		cfg --argjson n $nnp '.process.noNewPrivileges = $n'
		args mkdir /dev/shm/x
		go
		exit_is 1
		has "No space left"
	done
	[ "$(wc -l <"$T/states")" -eq 2 ]
}

@test "an ordinary user's program is notified too" {
	agent
	cfg '.process.noNewPrivileges = false | .process.user = {uid: 1000, gid: 1000}'
	args mkdir /tmp/x
	go
	has "No space left"
}

@test "the agent's value is the call's result" {
	agent 0
	sh_args 'mkdir /dev/shm/x; test -e /dev/shm/x || echo never made'
	go
	has "never made"
}

@test "create and start: the state document says whose listener it is" {
	agent
	up 'mkdir /dev/shm/x; exec sleep 1000'
	until_true grep -q "No space" "$T/err" "$T/out"
	run jq -r '[.fds[0], .metadata, .state.id, .state.status, (.fds | length)] | join(" ")' "$T/states"
	is "seccompFd whose is it $id created 1"
	run jq -r '[.pid, .state.pid] | join(" ")' "$T/states"
	is "$(pid) $(pid)"
	down
}

@test "exec: a listener of its own" {
	agent
	up
	run rf exec "$id" mkdir /dev/shm/x </dev/null
	has "No space left"
	run jq -rs '.[1] | [.state.status, (.pid != .state.pid), .state.pid] | join(" ")' "$T/states"
	is "running true $(pid)"
	down
}

@test "nobody listens: run is refused, start ends the container, exec fails" {
	args echo ran
	go
	refused listenerPath
	hasnt ran
	create
	run start
	[ "$status" -ne 0 ]
	has "$T/agent"
	until_true stopped
	rf delete "$id"
}

@test "exec with nobody listening leaves no process" {
	agent
	up
	kill -KILL "$agent" && wait "$agent" || true
	agent=
	run rf exec "$id" echo ran </dev/null
	[ "$status" -ne 0 ]
	hasnt ran
	down
}

@test "what can't be answered is refused" {
	cfg '.linux.seccomp.syscalls[0].names += ["sendmsg"]'
	go
	refused /linux/seccomp/syscalls/0/names/2
	cfg '.linux.seccomp.syscalls[0].names = ["mkdir"] | del(.linux.seccomp.listenerPath, .linux.seccomp.listenerMetadata)'
	go
	refused /linux/seccomp/listenerPath
	cfg '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY"'
	go
	refused /linux/seccomp/defaultAction
}
