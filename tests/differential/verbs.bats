# update, spec, features, events, hooks, consoles and flags about the whole, as runc does them.
load like

extra_setup() { args sleep 1000 && cfg '.ociVersion = "1.0.2-dev"'; }

@test "update: flags" {
	likes runc running <<'CASES'
--memory: rt update --memory 100000000 $id; limit memory memory.limit_in_bytes
--memory=v: rt update --memory=90000384 $id; limit memory memory.limit_in_bytes
-memory v with a unit: rt update -memory 80m $id; limit memory memory.limit_in_bytes
--memory with a big unit: rt update --memory 1GiB $id; limit memory memory.limit_in_bytes
--memory of no number: rt update --memory 1x $id
--memory-reservation: rt update --memory-reservation 50m $id; limit memory memory.soft_limit_in_bytes
--memory-swap: rt update --memory-swap 2g $id; limit memory memory.memsw.limit_in_bytes
--memory and --memory-swap: rt update --memory 3g --memory-swap 4g $id; limit memory memory.limit_in_bytes memory.memsw.limit_in_bytes
--memory-swap below the limit: rt update --memory-swap 1g $id; limit memory memory.memsw.limit_in_bytes
--memory-swap -1: rt update --memory-swap -1 $id; limit memory memory.memsw.limit_in_bytes
--memory -1: rt update --memory -1 $id; limit memory memory.limit_in_bytes memory.memsw.limit_in_bytes
--cpu-share: rt update --cpu-share 512 $id; limit cpu cpu.shares
--cpu-share too small: rt update --cpu-share 1 $id; limit cpu cpu.shares
--cpu-period and --cpu-quota: rt update --cpu-period 50000 --cpu-quota 25000 $id; limit cpu cpu.cfs_period_us cpu.cfs_quota_us
--cpu-quota: rt update --cpu-quota 30000 $id; limit cpu cpu.cfs_period_us cpu.cfs_quota_us
--cpu-quota -1: rt update --cpu-quota -1 $id; limit cpu cpu.cfs_quota_us
--cpu-period of no number: rt update --cpu-period x $id >/dev/null
--cpu-period too big: rt update --cpu-period 99000000 $id
--cpuset-cpus: rt update --cpuset-cpus 0 $id; limit cpuset cpuset.cpus
--cpuset-cpus of none: rt update --cpuset-cpus 4000 $id; limit cpuset cpuset.cpus
--cpuset-cpus of no list: rt update --cpuset-cpus x $id; limit cpuset cpuset.cpus
--cpuset-mems: rt update --cpuset-mems 0 $id; limit cpuset cpuset.mems
--pids-limit: rt update --pids-limit 50 $id; limit pids pids.max
--pids-limit -1: rt update --pids-limit -1 $id; limit pids pids.max
--pids-limit of no number: rt update --pids-limit x $id >/dev/null
--kernel-memory: rt update --kernel-memory 50m $id
--kernel-memory-tcp: rt update --kernel-memory-tcp 50m $id
none: rt update $id
-r of a file: echo '{"pids": {"limit": 60}, "cpu": {"shares": 256}}' >r; rt update -r r $id; limit pids pids.max; limit cpu cpu.shares; rm r
--resources -: echo '{"memory": {"limit": 70000640}}' | rt update --resources - $id; limit memory memory.limit_in_bytes
--resources=-: echo '{"pids": {"limit": 61}}' | rt update --resources=- $id; limit pids pids.max
-r and a flag: echo '{"pids": {"limit": 62}}' | rt update -r - --cpu-share 300 $id; limit pids pids.max; limit cpu cpu.shares
-r of no file: rt update -r nofile $id
-r of no JSON: echo x | rt update -r - $id
-r with what is unknown: echo '{"nonesuch": 1, "pids": {"limit": 63}}' | rt update -r - $id; limit pids pids.max
unknown flag: rt update --nonesuch 1 $id >/dev/null
no id: rt update --pids-limit 5 >/dev/null
two ids: rt update --pids-limit 5 $id $id >/dev/null
CASES
}
@test "update: created" { like runc created 'rt update --pids-limit 50 $id; limit pids pids.max'; }
@test "update: paused" { like runc paused 'rt update --pids-limit 50 $id; limit pids pids.max'; }
@test "update: stopped" { like runc stopped 'rt update --pids-limit 50 $id'; }
@test "update: missing" { like runc none 'rt update --pids-limit 50 $id'; }

# What a default config.json says, but for what each runtime chooses: the version, the host's name.
@test "spec: forms" {
	likes runc none <<'CASES'
plain: rt spec && jq -S "del(.ociVersion, .hostname)" config.json && head -n 1 config.json | od -c | head -n 1; rm config.json
--bundle: mkdir d; rt spec --bundle d && ls d && rm -r d
-b of no directory: rt spec -b nodir
over a file: echo kept >config.json; rt spec; cat config.json; rm config.json
--rootless: rt spec --rootless && jq -S "del(.ociVersion, .hostname)" config.json && rm config.json
an argument: rt spec more >/dev/null; rm -f config.json
indented with tabs: rt spec && sed -n 2p config.json | grep -c "^	\"ociVersion\": \""; rm config.json
mode of the file: rt spec && stat -c %a config.json && rm config.json
CASES
}
@test "spec: --file of crun" { like crun none 'rt spec -f other.json && ls && rm other.json'; }

@test "features: shape" {
	likes runc none <<'CASES'
hooks: rt features | jq -c '.hooks | sort'
namespaces: rt features | jq -c '.linux.namespaces - ["time"] | sort'
capabilities: rt features | jq -c '.linux.capabilities | sort'
cgroups: rt features | jq -c '.linux.cgroup | [.v1, .v2]'
seccomp: rt features | jq -c '.linux.seccomp | .enabled, (.actions | sort), (.operators | sort), (.archs | sort)'
mount options that are missing: rt features | jq -c '["acl","async","atime","bind","defaults","dev","diratime","dirsync","exec","iversion","lazytime","loud","mand","noacl","noatime","nodev","nodiratime","noexec","noiversion","nolazytime","nomand","norelatime","nostrictatime","nosuid","private","ratime","rbind","rdev","rdiratime","relatime","remount","rexec","rnoatime","rnodev","rnodiratime","rnoexec","rnorelatime","rnostrictatime","rnosuid","ro","rprivate","rrelatime","rro","rrw","rshared","rslave","rstrictatime","rsuid","runbindable","rw","shared","silent","slave","strictatime","suid","sync","tmpcopyup","unbindable"] - .mountOptions'
an argument: rt features more >/dev/null
CASES
}

@test "events: --stats" {
	likes runc running <<'CASES'
keys: rt events --stats $id | jq -c '.type, .data.cpu.usage.total > 0, (.data | keys - ["intel_rdt", "network_interfaces"])'
cpu: rt events --stats $id | jq -c '.data.cpu | del(..|.psi?) | [paths | map(tostring) | join(".")]'
memory: rt events --stats $id | jq -c '.data.memory | [.usage, .swap | keys], .usage.failcnt'
pids: rt events --stats $id | jq -c '.data.pids.current'
cpuset: rt events --stats $id | jq -c '.data.cpuset'
lines: rt events --stats $id | wc -l
--interval 0: rt events --interval 0s $id
--interval of no time: rt events --interval x $id >/dev/null
--interval: rt events --interval 50ms $id | head -n 2 | jq -c .type
--interval=v: rt events --interval=0.05s $id | head -n 2 | jq -c .id | sed 's/rft-.*"/ID"/'
no id: rt events --stats >/dev/null
CASES
}
@test "events: stopped" { like runc stopped 'rt events --stats $id'; }
@test "events: missing" { like runc none 'rt events --stats $id'; }

@test "state: flags" {
	likes runc running <<'CASES'
unknown option: rt state --nonesuch $id >/dev/null
option after the id: rt state $id --nonesuch >/dev/null
empty id: rt state ""
id with a slash: rt state a/b
--: rt state -- $id | jq -r .status
CASES
}

# What a hook of each kind reads. startContainer's has no place to write to.
@test "hooks: state" {
	local k
	for k in prestart createRuntime createContainer poststart poststop; do
		cfg --arg k $k --arg f "$T/w/$k" '.hooks[$k] = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >\($f)"]}]'
	done
	cfg '.annotations = {"a": "b<c>&"}'
	args true
	like runc none 'rt run -b $b $id; for k in *; do echo $k; jq -cS "{id, status, bundle, annotations, ociVersion}" $k | sed "s/$id/ID/g"; rm -f $k; done'
}
@test "hooks: failure" {
	likes runc none <<'CASES'
prestart: jq '.hooks = {"prestart": [{"path": "/bin/false"}]}' $config >$T/c && cp $T/c $config; rt run -b $b $id
createRuntime: jq '.hooks = {"createRuntime": [{"path": "/bin/false"}]}' $config >$T/c && cp $T/c $config; rt run -b $b $id
createContainer: jq '.hooks = {"createContainer": [{"path": "/bin/false"}]}' $config >$T/c && cp $T/c $config; rt create -b $b $id
no such file: jq '.hooks = {"createRuntime": [{"path": "/none"}]}' $config >$T/c && cp $T/c $config; rt create -b $b $id
CASES
}

@test "console: socket" {
	cfg '.process.terminal = true | .process.args = ["sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2; echo $?"]'
	likes runc none <<'CASES'
run -d: on_tty "rt run -d -b \$b --console-socket \$T/tty \$id"; ended; rt delete $id
create: on_tty "rt create -b \$b --console-socket=\$T/tty \$id && rt start \$id"; ended; rt delete $id
CASES
}

@test "kill: spellings" {
	likes runc running <<'CASES'
SIGCONT: rt kill $id SIGCONT
cont: rt kill $id cont
CONT: rt kill $id CONT
Cont: rt kill $id Cont
18: rt kill $id 18
-s CONT: rt kill -s CONT $id >/dev/null
SIG: rt kill $id SIG
a blank: rt kill $id " "
0x12: rt kill $id 0x12
018: rt kill $id 018
SIGSIGCONT: rt kill $id SIGSIGCONT
999: rt kill $id 999
IOT: rt kill $id IOT
CASES
}

@test "program: global flags" {
	likes runc none <<'CASES'
--root without a value: rt list --root >/dev/null
global flag after the verb: rt list --debug >/dev/null
--log in no directory: rt --log no/log list -q
--debug=maybe: rt --debug=maybe list -q >/dev/null
--version=true: rt --version=true | grep -c version
CASES
}
