# The same commands on runc (or crun, where the flag is crun's) and on ringfence.
# Each line is a case: like PEER BEFORE COMMAND; see like.bash.
load like

# A version that both peers know; runc prints its own in the state.
extra_setup() { args sleep 1000 && cfg '.ociVersion = "1.0.2-dev"'; }

# state
@test "state: created" { like runc created 'rt state $id'; }
@test "state: running" { like runc running 'rt state $id'; }
@test "state: paused" { like runc paused 'rt state $id'; }
@test "state: stopped" { like runc stopped 'rt state $id'; }
@test "state: keys" { cfg '.annotations = {"a": "b"}'; like runc running 'rt state $id | jq -c keys; rt state $id | jq -c .annotations'; }
@test "state: missing" { like runc none 'rt state $id'; }
@test "state: no id" { like runc none 'rt state 2>&1 >/dev/null | grep -c .; exit ${PIPESTATUS[0]}'; }
@test "state: two ids" { like runc running 'rt state $id $id >/dev/null'; }

# create
@test "create: plain" { like runc none 'rt create -b $b $id'; }
@test "create: in the bundle" { like runc none 'cd $b && rt create $id'; }
@test "create: --bundle v" { like runc none 'rt create --bundle $b $id'; }
@test "create: --bundle=v" { like runc none 'rt create --bundle=$b $id'; }
@test "create: -bundle v" { like runc none 'rt create -bundle $b $id'; }
@test "create: -b=v" { like runc none 'rt create -b=$b $id'; }
@test "create: --pid-file" { like runc none 'rt create --pid-file pid -b $b $id'; }
@test "create: --pid-file in no directory" { like runc none 'rt create --pid-file no/pid -b $b $id'; }
@test "create: --no-pivot" { like runc none 'rt create --no-pivot -b $b $id'; }
@test "create: --no-new-keyring" { like runc none 'rt create --no-new-keyring -b $b $id'; }
@test "create: twice" { like runc created 'rt create -b $b $id'; }
@test "create: no id" { like runc none 'rt create -b $b >/dev/null'; }
@test "create: bad id" { like runc none 'rt create -b $b a/b'; }
@test "create: no bundle" { like runc none 'rt create -b $b/none $id'; }
@test "create: no config" { rm "$config"; like runc none 'rt create -b $b $id'; }
@test "create: unknown program" { args nonesuch; like runc none 'rt create -b $b $id'; }
@test "create: terminal without a console socket" { cfg '.process.terminal = true'; like runc none 'rt create -b $b $id'; }
@test "create: console socket without a terminal" { like runc none 'rt create --console-socket $T/s -b $b $id'; }
@test "create: console socket that isn't there" { cfg '.process.terminal = true'; like runc none 'rt create --console-socket $T/s -b $b $id'; }
@test "create: --preserve-fds of none" { like runc none 'rt create --preserve-fds 2 -b $b $id'; }
@test "create: unknown option" { like runc none 'rt create --nonesuch -b $b $id >/dev/null'; }
@test "create: option without its value" { like runc none 'rt create --bundle >/dev/null'; }
@test "create: --config of crun" { like crun none 'cp $b/config.json $b/other.json; rm $b/config.json; rt create -b $b --config=$b/other.json $id; r=$?; mv $b/other.json $b/config.json; exit $r'; }

# start
@test "start: created" { like runc created 'rt start $id'; }
@test "start: running" { like runc running 'rt start $id'; }
@test "start: stopped" { like runc stopped 'rt start $id'; }
@test "start: missing" { like runc none 'rt start $id'; }
@test "start: unknown program" { args nonesuch; like runc none 'rt create -b $b $id; rt start $id'; }

# run
@test "run: true" { args true; like runc none 'rt run -b $b $id'; }
@test "run: exit code" { sh_args 'exit 7'; like runc none 'rt run -b $b $id'; }
@test "run: exit code 255" { sh_args 'exit 255'; like runc none 'rt run -b $b $id'; }
@test "run: ended by a signal" { sh_args 'kill -KILL $$'; like runc none 'rt run -b $b $id'; }
@test "run: output" { sh_args 'echo out; echo err >&2'; like runc none 'rt run -b $b $id'; }
@test "run: input" { args cat; like runc none 'echo in | rt run -b $b $id'; }
@test "run: --detach" { like runc none 'rt run --detach -b $b $id'; }
@test "run: -d --pid-file" { like runc none 'rt run -d --pid-file pid -b $b $id; [ $(cat pid) = $(rt state $id | jq .pid) ]'; }
@test "run: --keep" { args true; like runc none 'rt run --keep -b $b $id'; }
@test "run: --no-pivot" { args true; like runc none 'rt run --no-pivot -b $b $id'; }
@test "run: --no-subreaper" { args true; like runc none 'rt run --no-subreaper -b $b $id'; }
@test "run: --preserve-fds" { sh_args 'ls /proc/self/fd; cat <&3; env | grep LISTEN'; like runc none 'echo three >f; rt run --preserve-fds 1 -b $b $id 3<f'; }
@test "run: LISTEN_FDS" { sh_args 'env | grep LISTEN; cat <&3'; like runc none 'echo three >f; LISTEN_FDS=1 rt run -b $b $id 3<f'; }
@test "run: unknown program" { args nonesuch; like runc none 'rt run -b $b $id'; }
@test "run: no program at all" { args; like runc none 'rt run -b $b $id'; }
@test "run: not executable" { args /etc/passwd; like runc none 'rt run -b $b $id'; }
@test "run: a directory" { args /etc; like runc none 'rt run -b $b $id'; }
@test "run: detached with a terminal, no socket" { cfg '.process.terminal = true'; like runc none 'rt run -d -b $b $id'; }
@test "run: console socket without -d" { cfg '.process.terminal = true'; like runc none 'rt run --console-socket $T/s -b $b $id'; }
@test "run: environment" { cfg '.process.env += ["A=b", "A=c", "HOME=/x"]'; args env; like runc none 'rt run -b $b $id | sort'; }
@test "run: no HOME" { args env; like runc none 'rt run -b $b $id | sort'; }
@test "run: unknown cwd is made" { cfg '.root.readonly = false | .process.cwd = "/new/dir"'; sh_args 'pwd'; like runc none 'rt run -b $b $id; rc=$?; rm -r $b/rootfs/new; (exit $rc)'; }
@test "run: --detach=false" { args true; like runc none 'rt run --detach=false -b $b $id'; }
@test "run: option after the id" { like runc none 'rt run -b $b $id -d'; }
@test "run: two ids" { like runc none 'rt run -b $b $id more >/dev/null'; }

# kill
@test "kill: default" { sh_args 'trap "exit 3" TERM; while :; do sleep 0.1; done'; like runc running 'rt kill $id && ended'; }
@test "kill: KILL" { like runc running 'rt kill $id KILL && ended'; }
@test "kill: SIGKILL" { like runc running 'rt kill $id SIGKILL && ended'; }
@test "kill: kill" { like runc running 'rt kill $id kill && ended'; }
@test "kill: sigkill" { like runc running 'rt kill $id sigkill && ended'; }
@test "kill: 9" { like runc running 'rt kill $id 9 && ended'; }
@test "kill: 0" { like runc running 'rt kill $id 0'; }
@test "kill: RTMIN+3" { like runc running 'rt kill $id RTMIN+3'; }
@test "kill: SIGRTMIN" { like runc running 'rt kill $id SIGRTMIN'; }
@test "kill: 64" { like runc running 'rt kill $id 64'; }
@test "kill: 65" { like runc running 'rt kill $id 65'; }
@test "kill: -1" { like runc running 'rt kill $id -1 >/dev/null'; }
@test "kill: unknown name" { like runc running 'rt kill $id NONESUCH'; }
@test "kill: empty name" { like runc running 'rt kill $id ""'; }
@test "kill: --all" { like runc running 'rt kill --all $id KILL && ended'; }
@test "kill: -a 9" { like runc running 'rt kill -a $id 9 && ended'; }
@test "kill: --all after the id" { like runc running 'rt kill $id --all KILL'; }
@test "kill: --all of stopped" { like runc stopped 'rt kill --all $id KILL'; }
@test "kill: created" { like runc created 'rt kill $id KILL && ended'; }
@test "kill: paused" { like runc paused 'rt kill $id KILL && rt resume $id && ended'; }
@test "kill: stopped" { like runc stopped 'rt kill $id KILL'; }
@test "kill: stopped, signal 0" { like runc stopped 'rt kill $id 0'; }
@test "kill: missing" { like runc none 'rt kill $id KILL'; }
@test "kill: no id" { like runc none 'rt kill >/dev/null'; }
@test "kill: too many words" { like runc running 'rt kill $id KILL more >/dev/null'; }

# delete
@test "delete: stopped" { like runc stopped 'rt delete $id'; }
@test "delete: created" { like runc created 'rt delete $id'; }
@test "delete: running" { like runc running 'rt delete $id'; }
@test "delete: paused" { like runc paused 'rt delete $id'; }
@test "delete: missing" { like runc none 'rt delete $id'; }
@test "delete: -f running" { like runc running 'rt delete -f $id'; }
@test "delete: --force created" { like runc created 'rt delete --force $id'; }
@test "delete: -f paused" { like runc paused 'rt delete -f $id'; }
@test "delete: -f stopped" { like runc stopped 'rt delete -f $id'; }
@test "delete: -f missing" { like runc none 'rt delete -f $id'; }
@test "delete: --force=true" { like runc running 'rt delete --force=true $id'; }
@test "delete: -f after the id" { like runc running 'rt delete $id -f'; }
@test "delete: no id" { like runc none 'rt delete >/dev/null'; }
@test "delete: bad id" { like runc none 'rt delete ../x'; }
@test "delete: -f bad id" { like runc none 'rt delete -f ../x'; }

# list
@test "list: empty" { like runc none 'rt list'; }
@test "list: empty, json" { like runc none 'rt list -f json'; }
@test "list: empty, -q" { like runc none 'rt list -q'; }
@test "list: created" { like runc created 'rt list'; }
@test "list: running" { like runc running 'rt list'; }
@test "list: running, table" { like runc running 'rt list --format table'; }
@test "list: two" { like runc stopped 'rt create -b $b $id-2; rt list; rt list -q; rt list -f json'; }
@test "list: stopped, json" { like runc stopped 'rt list --format=json'; }
@test "list: paused, json" { like runc paused 'rt list -f json'; }
@test "list: annotations, json" { cfg '.annotations = {"a": "b<c>&"}'; like runc running 'rt list -f json'; }
@test "list: -q" { like runc running 'rt list -q'; }
@test "list: --quiet --format json" { like runc running 'rt list --quiet --format json'; }
@test "list: unknown format" { like runc running 'rt list -f yaml'; }
@test "list: unknown format, empty" { like runc none 'rt list -f yaml'; }
@test "list: an argument" { like runc none 'rt list more >/dev/null'; }

# ps
@test "ps: running" { like runc running 'rt ps $id'; }
@test "ps: json" { like runc running 'rt ps -f json $id'; }
@test "ps: options" { like runc running 'rt ps $id -o pid,comm'; }
@test "ps: aux" { like runc running 'until rt ps $id | grep -q sleep; do :; done; rt ps $id aux | sed "s/ *[0-9]*[.][0-9]/ N.N/g"'; }
@test "ps: no PID column" { like runc running 'rt ps $id -o comm'; }
@test "ps: a wrong option" { like runc running 'rt ps $id --nonesuch'; }
@test "ps: created" { like runc created 'rt ps $id | wc -l'; }
@test "ps: paused" { like runc paused 'rt ps $id'; }
@test "ps: stopped" { like runc stopped 'rt ps $id'; }
@test "ps: stopped, json" { like runc stopped 'rt ps -f json $id'; }
@test "ps: missing" { like runc none 'rt ps $id'; }
@test "ps: unknown format" { like runc running 'rt ps -f yaml $id'; }
@test "ps: no id" { like runc none 'rt ps >/dev/null'; }

# pause, resume
@test "pause: running" { like runc running 'rt pause $id'; }
@test "pause: created" { like runc created 'rt pause $id'; }
@test "pause: paused" { like runc paused 'rt pause $id'; }
@test "pause: stopped" { like runc stopped 'rt pause $id'; }
@test "pause: missing" { like runc none 'rt pause $id'; }
@test "resume: paused" { like runc paused 'rt resume $id'; }
@test "resume: running" { like runc running 'rt resume $id'; }
@test "resume: created" { like runc created 'rt resume $id'; }
@test "resume: stopped" { like runc stopped 'rt resume $id'; }
@test "resume: missing" { like runc none 'rt resume $id'; }

# help, version, unknown words
@test "program: no arguments" { like runc none 'rt >/dev/null'; }
@test "program: unknown verb" { like runc none 'rt nonesuch >/dev/null'; }
@test "program: unknown option" { like runc none 'rt --nonesuch >/dev/null'; }
@test "program: --help" { like runc none 'rt --help >/dev/null'; }
@test "program: -h" { like runc none 'rt -h >/dev/null'; }
@test "program: help" { like runc none 'rt help >/dev/null'; }
@test "program: help of a verb" { like runc none 'rt help run >/dev/null'; }
@test "program: help of an unknown verb" { like runc none 'rt help nonesuch >/dev/null'; }
@test "program: verb --help" { like runc none 'for v in create start run exec kill delete state list ps pause resume update spec features; do rt $v --help >/dev/null; echo $v $?; done'; }
@test "program: --version" { like runc none 'rt --version | grep -oE "^(.* version|commit:|spec:|libseccomp:)" | sed "s/^$who //"'; }
@test "program: -v" { like runc none 'rt -v | grep -oE "^spec:"'; }
@test "program: version" { like runc none 'rt version >/dev/null'; }
@test "program: --log" { like runc none 'rt --log log state $id; jq -r .level <log 2>/dev/null; grep -o level=error log; rm log'; }
@test "program: --log json" { like runc none 'rt --log log --log-format json state $id; jq -c "keys, .level" log; rm log'; }
@test "program: --log-format of an unknown kind" { like runc none 'rt --log-format xml list'; }
@test "program: --debug" { like runc none 'rt --debug --log log list; rm log'; }
@test "program: --rootless=true" { like runc none 'rt --rootless=true list -q'; }
@test "program: --rootless=maybe" { like runc none 'rt --rootless=maybe list -q'; }
@test "program: --cgroup-manager of crun" { like crun none 'rt --cgroup-manager=cgroupfs run -d -b $b $id'; }
@test "program: --cgroup-manager=disabled of crun" { like crun none 'rt --cgroup-manager=disabled run -d -b $b $id && rt exec $id true; echo $?; rt pause $id 2>/dev/null; echo $?'; }
@test "program: -root v" { like runc none 'rt -root $T/root-$who list -q'; }

# Those of `like` by the test's name, those of `likes` by the lines of its document.
case_names() {
	awk '/^@test "/ { split($0, q, "\""); test = q[2]; print test; sub(/:.*/, "", test) }
		/^[^#@}].*: / { name = $0; sub(/: .*/, "", name); print test ": " name }' "$@"
}

@test "differences: names only cases that there are, each with a reason" {
	run awk -F ' *[|] *' -v cases="$(case_names "$BATS_TEST_DIRNAME"/*.bats)" '
		BEGIN { n = split(cases, l, "\n"); for (i = 1; i <= n; i++) known[l[i]] = 1 }
		/^#/ || /^$/ { next }
		!known[$1] { print "no such case: " $0; bad = 1 }
		$2 !~ /^(exit|stdout|stderr|files|status)$/ { print "no such aspect: " $0; bad = 1 }
		NF != 3 || $3 == "" { print "no reason: " $0; bad = 1 }
		END { exit bad }' "$differences"
	ok
}
