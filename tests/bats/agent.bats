#!/usr/bin/env bats
# The agent of a micro-VM as an ordinary process on a unix socket: its protocol, its streams, and
# what it does with clients that misbehave. Everything that needs a machine of its own is microvm.bats'.
load helpers

extra_setup() {
	only_ours
	need python3
	cfg --arg r "$b/rootfs" '.root.path = $r'
	"$RINGFENCE" --root "$T/state" agent "$T/agent" </dev/null >"$T/log" 2>&1 3>&- &
	agent=$!
	until_true test -S "$T/agent"
}

extra_teardown() {
	local i
	for i in "$id" "$id-2" "$id-3"; do
		[ ! -e "$T/state/$i" ] || ask call delete id="$i" force=true >/dev/null || true
	done
	kill "$agent" 2>/dev/null || true
	wait "$agent" 2>/dev/null || true
	rm -rf "$T/agent" "$T/state.bundles" "$T/state.scratch"
}

ask() { timeout 50 python3 "$top/tests/bats/agent.py" "$T/agent" "$@" 3>&-; }
# What the agent says when there is nothing to send to the process.
quiet() { ask "$@" </dev/null; }
# Processes of the agent's: containers' and workers'.
children() { tr ' ' '\n' <"/proc/$agent/task/$agent/children" | grep -c . || true; }
children_are() { [ "$(children)" = "$1" ]; }
fds_are() { [ "$(fds)" = "$1" ]; }
fds() { find "/proc/$agent/fd" -mindepth 1 | wc -l; }

@test "a container's input, outputs and exit code" {
	sh_args 'echo out; echo err >&2; cat; exit 7'
	run --separate-stderr ask run "$id" "config=@$config" <<<'words'
	exit_is 7
	[ "$output" = $'out\nwords' ]
	[ "$stderr" = err ]
}

@test "a signal that ends it is told" {
	sh_args 'kill -TERM $$; sleep 50'
	cfg 'del(.linux.namespaces[] | select(.type == "pid"))'
	run quiet run "$id" "config=@$config"
	exit_is 143
}

@test "nothing is lost at the end: two hundred short containers" {
	sh_args 'head -c 20000 /dev/zero; echo last; exit 5'
	run quiet many 200 "$id" "config=@$config"
	[[ $output == "200 5 20005 0 "*last ]]
	until_true children_are 0
}

@test "output that came before anybody was attached, and after the end, is kept" {
	sh_args 'echo early'
	quiet up "$id" "config=@$config"
	[ "$(quiet call wait "id=$id")" = '{"status": 0}' ]
	[ "$(quiet out "$id" 1)" = early ]
	quiet call delete "id=$id"
}

@test "a reader that takes its time gets all of it, and the agent stays small" {
	sh_args 'head -c 5000000 /dev/zero'
	quiet up "$id" "config=@$config"
	n=$(quiet out "$id" 1 | { sleep 1; wc -c; })
	[ "$n" = 5000000 ]
	quiet call delete "id=$id" force=true
	case $RINGFENCE in */asan/*) skip "the sanitizer's memory isn't the agent's" ;; esac
	[ "$(awk '/^RssAnon/ { print $2 }' "/proc/$agent/status")" -lt 1000 ]
}

@test "close: a process finds its pipe without reader, or its terminal hung up" {
	sh_args yes
	quiet up "$id" "config=@$config"
	quiet taste "$id" 1 4 >"$T/taste"
	quiet call close "id=$id" fd=1
	run quiet call wait "id=$id"
	has '"status"'
	quiet call delete "id=$id"
	sh_args 'trap "exit 8" HUP; while :; do sleep 0.1; done'
	cfg '.process.terminal = true'
	quiet call create "id=$id" "config=@$config" terminal=true
	quiet call start "id=$id"
	sleep 0.5
	quiet call close "id=$id" fd=0
	[ "$(quiet call wait "id=$id")" = '{"status": 2048}' ]
	run quiet call close "id=$id" fd=3
	exit_is 99
	quiet call delete "id=$id"
}

@test "a megabyte of input goes through, and its end is passed on" {
	args wc -c
	head -c 1000000 /dev/zero >"$T/input"
	run ask run "$id" "config=@$config" <"$T/input"
	is 1000000
}

@test "exec: streams, exit code, and a terminal" {
	args sleep 1000
	quiet up "$id" "config=@$config"
	run ask exec "$id" 'args=["sh","-c","cat; exit 3"]' <<<'typed'
	exit_is 3
	has typed
	run quiet exec "$id" 'args=["sh","-c","tty; exit 4"]' terminal=true
	exit_is 4
	has /dev/pts/
	run quiet exec "$id" 'args=["/nowhere"]'
	exit_is 99
	has "exec 2"
	jq '.process | .args = ["sh", "-c", "echo $X"] | .env += ["X=fromfile"]' "$config" >"$T/process"
	run quiet exec "$id" "process=@$T/process"
	is fromfile
	quiet call delete "id=$id" force=true
}

@test "a container's terminal: both ways, its size, and the hang-up" {
	sh_args 'read x; echo "got $x"; stty size'
	cfg '.process.terminal = true'
	run ask run "$id" "config=@$config" terminal=true <<<'words'
	exit_is 0
	has "got words"
	quiet call create "id=$id" "config=@$config" terminal=true
	quiet call winsize "id=$id" rows=33 columns=77
	quiet call start "id=$id"
	ask out "$id" 0 >"$T/out" <<<'more' &
	reader=$!
	quiet call wait "id=$id"
	wait "$reader"
	grep 'got more' "$T/out"
	grep '33 77' "$T/out"
	quiet call delete "id=$id"
}

@test "a container in the agent's own network namespace, named by its path" {
	sh_args 'readlink /proc/self/ns/net'
	cfg --arg p "/proc/$agent/ns/net" '(.linux.namespaces[] | select(.type == "network")).path = $p'
	run quiet run "$id" "config=@$config"
	is "$(readlink "/proc/$agent/ns/net")"
}

@test "stdin: false is an empty input" {
	sh_args 'cat; readlink /proc/self/fd/0'
	quiet call create "id=$id" "config=@$config" stdin=false
	quiet call start "id=$id"
	[ "$(quiet out "$id" 1)" = /dev/null ]
	run quiet out "$id" 0
	quiet call delete "id=$id"
}

@test "who holds a process ends it by leaving, who only waits doesn't" {
	sh_args 'exec sleep 1000'
	quiet up "$id" "config=@$config" >/dev/null
	quiet glance "$id" 0.5
	[ "$(quiet call state "id=$id" | jq -r .state.status)" = running ]
	run quiet call wait "id=$id" hold=word
	exit_is 99
	has "hold: must be true or false"
	[ "$(quiet call state "id=$id" | jq -r .state.status)" = running ]
	quiet glance "$id" 0.5 hold=true
	[ "$(quiet call wait "id=$id")" = '{"status": 9}' ]
}

@test "several containers, several who wait for one" {
	sh_args 'sleep 1; exit 9'
	quiet up "$id" "config=@$config"
	quiet up "$id-2" "config=@$config"
	for i in 1 2 3; do
		quiet call wait "id=$id" >"$T/wait.$i" &
		waiters+=($!)
	done
	quiet call wait "id=$id-2" >"$T/wait.4"
	wait "${waiters[@]}"
	[ "$(cat "$T"/wait.? | sort -u)" = '{"status": 2304}' ]
	[ "$(cat "$T"/wait.? | wc -l)" = 4 ]
	quiet call delete "id=$id"
	quiet call delete "id=$id-2"
}

@test "signals reach the first process and others" {
	sh_args 'trap "exit 21" TERM; while :; do sleep 0.1; done'
	quiet up "$id" "config=@$config"
	token=$(quiet call exec "id=$id" 'args=["sh","-c","trap \"exit 22\" TERM; while :; do sleep 0.1; done"]' | jq -r .process)
	sleep 0.5
	quiet call signal "id=$id" "process=\"$token\"" signal=15
	[ "$(quiet call wait "id=$id" "process=\"$token\"")" = '{"status": 5632}' ]
	# It was told: nobody remembers it.
	run quiet call wait "id=$id" "process=\"$token\""
	exit_is 99
	quiet call signal "id=$id" signal=15
	[ "$(quiet call wait "id=$id")" = '{"status": 5376}' ]
	run quiet call signal "id=$id" signal=15
	exit_is 99
	has "container not running"
	quiet call delete "id=$id"
}

@test "pause, resume, stats, ps, state" {
	args sleep 1000
	quiet up "$id" "config=@$config"
	quiet call pause "id=$id"
	[ "$(quiet call state "id=$id" | jq -r .state.status)" = paused ]
	quiet call resume "id=$id"
	[ "$(quiet call stats "id=$id" | jq -r .stats.type)" = stats ]
	quiet call ps "id=$id" >"$T/ps"
	[ "$(jq -r '.pids | length' "$T/ps")" = 1 ]
	[ "$(jq -r '.processes[0] | "\(.pid) \(.uid) \(.command) \(has("tty"))"' "$T/ps")" = "$(jq '.pids[0]' "$T/ps") 0 sleep 1000 false" ]
	[ $(($(date +%s) - $(jq '.processes[0].started' "$T/ps"))) -lt 60 ]
	jq -e '.processes[0] | .name == "sleep" and .threads == 1 and .vsz > 0 and (.state | length == 1) and .pgid > 0' "$T/ps"
	[ "$(quiet call user "id=$id" user=guest:extra)" = '{"uid": 1000, "gid": 1234}' ]
	run quiet call user "id=$id" user=no-such
	exit_is 99
	has "unable to find user"
	quiet call delete "id=$id" force=true
}

@test "detach: outputs let go behind what was sent, an input that is torn off isn't at its end" {
	sh_args 'while read -r l; do echo "got $l"; done; echo eof'
	quiet up "$id" "config=@$config"
	run quiet torn "$id"
	is "b'got one\\n' b'' b'got two\\neof\\n'"
	[ "$(quiet call wait "id=$id")" = '{"status": 0}' ]
	quiet call delete "id=$id"
}

@test "update: a new limit, and a resources object that is wrong" {
	need_controller pids
	args sleep 1000
	quiet up "$id" "config=@$config"
	quiet call update "id=$id" 'resources="{\"pids\":{\"limit\":77}}"'
	[ "$(quiet call stats "id=$id" | jq .stats.data.pids.limit)" = 77 ]
	run quiet call update "id=$id" 'resources="{\"pids\":{\"limit\":true}}"'
	exit_is 99
	has "resources:1:"
	quiet call delete "id=$id" force=true
}

@test "events: statistics, and the end with the container; a stopped one is refused" {
	args sleep 1000
	quiet up "$id" "config=@$config"
	quiet follow "$id" 100000000 >"$T/events" &
	follower=$!
	until_true test -s "$T/events"
	quiet call signal "id=$id" signal=9
	wait "$follower"
	[ "$(head -n 1 "$T/events" | jq -r .type)" = stats ]
	run quiet follow "$id" 100000000
	exit_is 99
	quiet call delete "id=$id"
}

@test "more who follow events than requests may be under way, and who leave" {
	args sleep 1000
	quiet up "$id" "config=@$config"
	before=$(fds)
	quiet crowd "$id" 100
	until_true fds_are "$before"
	until_true children_are 1
	quiet call delete "id=$id" force=true
}

@test "a worker that is killed: its client is told, the id is free after a forced delete" {
	printf '#!/bin/sh\necho $$ >%s/hook\nexec sleep 1000\n' "$T" >"$T/slow"
	chmod 755 "$T/slow"
	cfg --arg h "$T/slow" '.hooks.createRuntime = [{"path": $h}]'
	quiet call create "id=$id" "config=@$config" >"$T/answer" 2>&1 &
	client=$!
	until_true test -s "$T/hook"
	# While it is being made: known to be, and nothing to wait for.
	run quiet call create "id=$id" "config=@$config"
	has "already exists"
	run quiet call wait "id=$id"
	has "does not exist"
	worker=$(awk '{ print $4 }' "/proc/$(cat "$T/hook")/stat")
	kill -KILL "$worker"
	wait "$client" || true
	grep "ended by signal 9" "$T/answer"
	kill -KILL "$(cat "$T/hook")"
	quiet call delete "id=$id" force=true
	until_true children_are 0
	cfg 'del(.hooks)'
	run quiet run "$id" "config=@$config"
	ok
}

@test "an id lives once, and again after a failed create and after delete" {
	args sleep 1000
	quiet up "$id" "config=@$config"
	run quiet call create "id=$id" "config=@$config"
	exit_is 99
	has "already exists"
	quiet call delete "id=$id" force=true
	run quiet call create "id=$id" 'config="{}"'
	exit_is 99
	has "spec"
	quiet up "$id" "config=@$config"
	quiet call delete "id=$id" force=true
	[ -z "$(find "$T/state.bundles" "$T/state.scratch" -mindepth 1)" ]
}

# Lines of: words of the answer, a tab, the request.
@test "bad requests are refused, each by its own words" {
	cat >"$T/bad" <<-'EOF'
		isn't known	{"verb":"fly"}
		verb	{}
		object	[]
		verb	{"verb":7}
		required	{"verb":"start"}
		invalid container ID	{"verb":"start","id":"../x"}
		id cannot be empty	{"verb":"create","id":"","config":"{}"}
		does not exist	{"verb":"start","id":"nobody"}
		does not exist	{"verb":"io","id":"nobody","fd":1}
		does not exist	{"verb":"wait","id":"nobody"}
		does not exist	{"verb":"exec","id":"nobody","args":["true"]}
		no such process	{"verb":"wait","id":"nobody","process":"7"}
		must be	{"verb":"wait","id":"nobody","process":"x"}
		must be	{"verb":"wait","id":"nobody","process":"0"}
		must be	{"verb":"io","id":"nobody","fd":3}
		required	{"verb":"io","id":"nobody"}
		must be	{"verb":"signal","id":"nobody","signal":"TERM"}
		must be	{"verb":"signal","id":"nobody","signal":-1}
		must be	{"verb":"create","id":"x","config":{}}
		must be	{"verb":"create","id":"x","config":"{}","terminal":1}
		spec	{"verb":"create","id":"x","config":"nonsense"}
		must be	{"verb":"exec","id":"x","args":[1]}
		must be	{"verb":"exec","id":"x","args":"true"}
		required	{"verb":"update","id":"x"}
		machine	{"verb":"shutdown"}
		machine	{"verb":"net","cards":[]}
		machine	{"verb":"release"}
		machine	{"verb":"reseed","entropy":"00","time_ns":0}
		not valid JSON	nonsense
		not valid JSON	{"verb":"ping"} more
		stands twice	{"verb":"ping","verb":"ping"}
	EOF
	run ask refusals <"$T/bad"
	ok
	[ "$(quiet call ping)" = '{}' ]
}

@test "frames that are too long, cut or silent harm nobody" {
	run quiet raw ffffffff
	run quiet raw 0100
	run quiet raw 10000000aa
	run quiet raw 00000000
	before=$(fds)
	for i in 1 2 3 4 5; do
		timeout 20 python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); time.sleep(1)' "$T/agent" 3>&- &
		silent+=($!)
	done
	[ "$(quiet call ping)" = '{}' ]
	wait "${silent[@]}"
	until_true children_are 0
	until_true fds_are "$before"
}

@test "a client that leaves in the middle: nothing is lost, nothing is left open" {
	sh_args 'seq 1000000'
	before=$(fds)
	quiet up "$id" "config=@$config"
	[ "$(quiet taste "$id" 1 10)" = $'1\n2\n3\n4\n5' ]
	# Who waits and leaves is forgotten.
	timeout 0.3 python3 "$top/tests/bats/agent.py" "$T/agent" call wait "id=$id" </dev/null 3>&- || true
	until_true quiet call ping
	run quiet out "$id" 1
	[ "${lines[-1]}" = 1000000 ]
	quiet call delete "id=$id" force=true
	until_true children_are 0
	until_true fds_are "$before"
}
