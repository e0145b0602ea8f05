#!/usr/bin/env bats
# The six kinds of hooks, each by the specification's rules: input, order, environment, time, failure.
load helpers

host_kinds="prestart createRuntime createContainer poststart poststop"

extra_setup() { log=$T/log; }

# note KIND WORDS [STATUS]: a hook of the host that notes words and its state's status, then ends.
note() {
	cfg --arg k "$1" --arg w "$2" --arg l "$log" --arg rc "${3:-0}" '.hooks[$k] += [{path: "/bin/sh", env: ["PATH=/usr/bin:/bin", "WHO=" + $w],
		args: ["sh", "-c", "s=$(jq -r .status); echo $WHO $s >>\"$1\"; exit $2", "sh", $l, $rc]}]'
}
# slow KIND: one that would take longer than it may.
slow() { cfg --arg k "$1" '.hooks[$k] += [{path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1}]'; }
# within SECONDS COMMAND…: what it took is below.
within() {
	local begin=$SECONDS n=$1
	shift
	"$@"
	[ $((SECONDS - begin)) -lt "$n" ] || { echo "took $((SECONDS - begin)) s"; return 1; }
}
inner() {
	printf '#!/bin/sh\n%s\n' "$1" >"$b/rootfs/bin/hook"
	chmod +x "$b/rootfs/bin/hook"
}
gone_state() { [ ! -e "$T/state/$id" ]; }

@test "all six kinds, two of each, in the specification's order, with the status of their time" {
	local k
	for k in $host_kinds; do
		note "$k" "$k-1"
		note "$k" "$k-2"
	done
	# In the container: what it notes goes to its own standard output's neighbour, a file bound in.
	: >"$log"
	inner 'grep -o "\"status\": *\"[a-z]*\"" | sed "s/.*: *.\([a-z]*\).$/$1 \1/" >>/tmp/log'
	cfg --arg l "$log" '.mounts += [{destination: "/tmp/log", type: "bind", source: $l, options: ["bind"]}]
		| .hooks.startContainer = [{path: "/bin/hook", args: ["hook", "startContainer-1"], env: ["PATH=/bin"]},
			{path: "/bin/hook", args: ["hook", "startContainer-2"], env: ["PATH=/bin"]}]'
	: >"$b/rootfs/tmp/log"
	up
	rf kill "$id" KILL
	until_true stopped
	rf delete "$id"
	diff - "$log" <<-END
		prestart-1 creating
		prestart-2 creating
		createRuntime-1 creating
		createRuntime-2 creating
		createContainer-1 creating
		createContainer-2 creating
		startContainer-1 created
		startContainer-2 created
		poststart-1 running
		poststart-2 running
		poststop-1 stopped
		poststop-2 stopped
	END
}

@test "create runs the first three kinds, start the next two, delete the last" {
	local k
	for k in $host_kinds; do note "$k" "$k"; done
	args sleep 1000
	create
	[ "$(cut -d' ' -f1 "$log" | tr '\n' ' ')" = "prestart createRuntime createContainer " ]
	start
	[ "$(tail -n +4 "$log" | cut -d' ' -f1)" = poststart ]
	rf kill "$id" KILL
	until_true stopped
	[ "$(wc -l <"$log")" -eq 4 ]
	rf delete "$id"
	[ "$(tail -n +5 "$log" | cut -d' ' -f1)" = poststop ]
}

@test "prestart, createRuntime, createContainer: a failure fails create, the next ones don't run, poststop does" {
	local k
	for k in prestart createRuntime createContainer; do
		rm -f "$log"
		cfg 'del(.hooks)'
		note "$k" first 3
		note "$k" second
		note poststart poststart
		note poststop poststop
		args sleep 1000
		run create
		refused "/hooks/$k/0"
		diff - "$log" <<-END
			first creating
			poststop stopped
		END
	done
}

@test "startContainer: a failure fails start, the program doesn't run, poststop does" {
	inner 'exit 3'
	cfg '.hooks.startContainer = [{path: "/bin/hook"}]'
	note poststart poststart
	note poststop poststop
	sh_args 'echo program'
	create
	run start
	[ "$status" -ne 0 ]
	has startContainer
	[ ! -s "$T/out" ]
	! ours || gone_state
	rf delete --force "$id"
	[ "$(cat "$log")" = "poststop stopped" ]
}

@test "poststart: a failure fails start and ends the container, poststop runs" {
	note poststart first 3
	note poststart second
	note poststop poststop
	args sleep 1000
	create
	p=$(pid)
	run start
	[ "$status" -ne 0 ]
	has /hooks/poststart/0
	until_true gone "$p"
	! ours || gone_state
	rf delete --force "$id"
	diff - "$log" <<-END
		first running
		poststop stopped
	END
}

@test "poststop: a failure is warned of, the next ones run, delete succeeds" {
	note poststop first 3
	note poststop second
	up
	rf kill "$id" KILL
	until_true stopped
	run rf delete "$id"
	ok
	has /hooks/poststop/0
	gone_state
	[ "$(cut -d' ' -f1 "$log" | tr '\n' ' ')" = "first second " ]
}

@test "timeout: prestart, createRuntime and createContainer fail create in time" {
	local k
	for k in prestart createRuntime createContainer; do
		cfg 'del(.hooks)'
		slow "$k"
		args sleep 1000
		within 8 run create
		refused "/hooks/$k/0"
	done
}

@test "timeout: startContainer and poststart fail start in time" {
	local k
	for k in startContainer poststart; do
		cfg 'del(.hooks)'
		slow "$k"
		args sleep 1000
		create
		within 8 run start
		[ "$status" -ne 0 ]
		has "$k"
		rf delete --force "$id"
	done
}

@test "timeout: poststop doesn't keep delete" {
	slow poststop
	up
	rf kill "$id" KILL
	until_true stopped
	within 8 rf delete "$id"
	gone_state
}

@test "timeout: zero and below are refused" {
	local k t
	for k in $host_kinds startContainer; do
		for t in 0 -1; do
			cfg --arg k "$k" --argjson t "$t" '.hooks = {($k): [{path: "/bin/true", timeout: $t}]}'
			go
			refused "/hooks/$k/0/timeout"
		done
	done
}

@test "path is absolute; args and env are exactly the hook's, for each kind" {
	local k
	for k in $host_kinds; do
		cfg --arg k "$k" --arg l "$log" '.hooks = {($k): [{path: "/bin/sh", env: ["ONLY=one"],
			args: ["named", "-c", "cat >/dev/null; /usr/bin/env | /bin/grep -v ^_= | /bin/grep -v ^PWD= | /bin/grep -v ^SHLVL= >\"$1\"; echo \"$0\" >>\"$1\"", "zero", $l]}]}'
		args true
		go
		ok
		diff - "$log" <<-END || { echo "$k"; return 1; }
			ONLY=one
			zero
		END
		cfg --arg k "$k" '.hooks[$k][0].path = "bin/sh"'
		go
		refused "/hooks/$k/0/path"
	done
}

@test "startContainer: args and env are exactly the hook's, path is absolute" {
	cfg '.hooks.startContainer = [{path: "/bin/sh", env: ["ONLY=one"], args: ["sh", "-c", "tr \"\\\\0\" \"|\" </proc/self/environ >/dev/shm/hook; echo \"$0 $1\" >>/dev/shm/hook", "zero", "first word"]}]
		| .process.args = ["cat", "/dev/shm/hook"]'
	go
	is "ONLY=one|zero first word"
	cfg '.hooks.startContainer[0].path = "bin/sh"'
	go
	refused /hooks/startContainer/0/path
}
