# The words that scripts look for in runc's messages: each stands, to the letter, in runc's own and in
# ours, whatever either says around it. A case: `NAME :: PHRASE :: BEFORE :: COMMAND`, where BEFORE is a state
# of like.bash. Standard error and the log file both must have it, and the exit codes be the same.
# The words "runc" and "ringfence" themselves are one.
load like

extra_setup() { args sleep 1000 && cfg '.ociVersion = "1.0.2-dev"' && cp "$config" "$config.good"; }

# says RUNTIME BEFORE COMMAND: $T/said-RUNTIME, its messages, and $T/code-RUNTIME.
says() {
	local rc=0 log=$T/log-$1
	who_is "$1"
	cp "$config.good" "$config"
	before "$2" </dev/null >"$T/before" 2>&1 3>&- || { cat "$T/before"; return 1; }
	exe+=(--log "$log")
	mkdir -p "$T/w"
	(cd "$T/w" && eval "$3") </dev/null >/dev/null 2>"$T/err" 3>&- || rc=$?
	rm -rf "$T/w"
	who_is "$1"
	[ ! -e "$T/root-$1/$id" ] || rt delete --force "$id" </dev/null >/dev/null 2>&1 3>&- || true
	# The log quotes what it holds.
	sed -e 's/\\"/"/g' -e 's/ringfence\|runc/RUNTIME/g' "$T/err" >"$T/said-$1"
	sed -e 's/\\"/"/g' -e 's/ringfence\|runc/RUNTIME/g' "$log" >"$T/logged-$1" 2>/dev/null || true
	rm -f "$log"
	echo "$rc" >"$T/code-$1"
}

# both: the cases on standard input.
both() {
	local line name phrase state command who bad=0
	peer=runc
	need runc
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		name=${line%% :: *} line=${line#* :: }
		phrase=${line%% :: *} line=${line#* :: }
		state=${line%% :: *} command=${line#* :: }
		for who in runc ringfence; do
			says "$who" "$state" "$command" || return 1
			for f in said logged; do
				grep -qF -- "$phrase" "$T/$f-$who" && continue
				# What is wrong before the log is opened is in neither's.
				[ "$f" != logged ] || [ -s "$T/logged-runc" ] || continue
				echo "$name: $who ($f) doesn't say «$phrase»: $(cat "$T/$f-$who")"
				bad=1
			done
		done
		cmp -s "$T/code-runc" "$T/code-ringfence" || {
			echo "$name: runc ends with $(cat "$T/code-runc"), ringfence with $(cat "$T/code-ringfence")"
			bad=1
		}
	done
	return $bad
}

# edit FILTER: the bundle's configuration for one case.
edit() { jq "$1" "$config.good" >"$config"; }

@test "phrases: what isn't there, and what is there already" {
	both <<'CASES'
state :: container does not exist :: none :: rt state $id
start :: container does not exist :: none :: rt start $id
kill :: container does not exist :: none :: rt kill $id
delete :: container does not exist :: none :: rt delete $id
exec :: container does not exist :: none :: rt exec $id true
pause :: container does not exist :: none :: rt pause $id
resume :: container does not exist :: none :: rt resume $id
ps :: container does not exist :: none :: rt ps $id
update :: container does not exist :: none :: rt update --pids-limit 5 $id
events :: container does not exist :: none :: rt events --stats $id
create :: container with given ID already exists :: created :: rt create -b $b $id
run :: container with given ID already exists :: created :: rt run -b $b $id
id :: invalid container ID format :: none :: rt create -b $b a/b
empty id :: container id cannot be empty :: none :: rt create -b $b ""
bundle :: no such file or directory :: none :: rt create -b $b/none $id
config :: JSON specification file config.json not found :: none :: rm $config; rt create -b $b $id
spec :: File config.json exists. Remove it first :: none :: touch config.json; rt spec
pid file :: no such file or directory :: none :: rt create --pid-file /none/x -b $b $id
resources :: no such file or directory :: running :: rt update -r nofile $id
CASES
}

@test "phrases: a verb at the wrong time" {
	both <<'CASES'
start running :: cannot start an already running container :: running :: rt start $id
start stopped :: cannot start a container that has stopped :: stopped :: rt start $id
start paused :: cannot start a container in the paused state :: paused :: rt start $id
exec stopped :: cannot exec in a stopped container :: stopped :: rt exec $id true
exec paused :: cannot exec in a paused container (use --ignore-paused to override) :: paused :: rt exec $id true
kill stopped :: container not running :: stopped :: rt kill $id KILL
pause stopped :: container not running :: stopped :: rt pause $id
pause paused :: container not running :: paused :: rt pause $id
resume running :: container not paused :: running :: rt resume $id
update stopped :: container not running :: stopped :: rt update --pids-limit 5 $id
delete running :: that is not stopped :: running :: rt delete $id
delete paused :: that is not stopped :: paused :: rt delete $id
events stopped :: is not running :: stopped :: rt events --stats $id
CASES
}

@test "phrases: the program" {
	both <<'CASES'
no program :: unable to start container process :: none :: edit '.process.args = ["none"]'; rt run -b $b $id
no file :: no such file or directory :: none :: edit '.process.args = ["/none"]'; rt run -b $b $id
no name :: exec: "none": executable file not found in $PATH :: none :: edit '.process.args = ["none"]'; rt create -b $b $id
an empty name :: executable file not found in $PATH :: none :: edit '.process.args = [""]'; rt create -b $b $id
no words :: args must not be empty :: none :: edit '.process.args = []'; rt create -b $b $id
not executable :: permission denied :: none :: edit '.process.args = ["/etc/passwd"]'; rt run -b $b $id
relative cwd :: must be an absolute path :: none :: edit '.process.cwd = "x"'; rt create -b $b $id
exec no name :: executable file not found in $PATH :: running :: rt exec $id none
exec no file :: no such file or directory :: running :: rt exec $id /none
exec not executable :: permission denied :: running :: rt exec $id /etc/passwd
exec without words :: process args cannot be empty :: running :: rt exec $id
exec cwd :: chdir to cwd ("/none") :: running :: rt exec --cwd /none $id true
exec terminal :: cannot allocate tty if RUNTIME will detach without setting console socket :: running :: rt exec -d -t $id true
terminal :: cannot allocate tty if RUNTIME will detach without setting console socket :: none :: edit '.process.terminal = true'; rt create -b $b $id
socket :: cannot use console socket if RUNTIME will not detach or allocate tty :: none :: rt create --console-socket /x -b $b $id
no socket :: no such file or directory :: none :: edit '.process.terminal = true'; rt create --console-socket /none -b $b $id
CASES
}

@test "phrases: the configuration" {
	both <<'CASES'
no root :: root must be specified :: none :: edit 'del(.root)'; rt create -b $b $id
root :: no such file or directory :: none :: edit '.root.path = "none"'; rt create -b $b $id
namespace twice :: duplicated ns :: none :: edit '.linux.namespaces += [{"type": "pid"}]'; rt create -b $b $id
namespace path :: no such file or directory :: none :: edit '.linux.namespaces[0].path = "/none"'; rt create -b $b $id
host name :: without a private UTS namespace :: none :: edit '.linux.namespaces |= map(select(.type != "uts"))'; rt create -b $b $id
maps :: User namespaces enabled, but no uid mappings found :: none :: edit '.linux.namespaces += [{"type": "user"}]'; rt create -b $b $id
sysctl :: is not in a separate kernel namespace :: none :: edit '.linux.sysctl = {"vm.swappiness": "1"}'; rt create -b $b $id
sysctl of the host :: is not allowed in the host :: none :: edit '.linux.sysctl = {"kernel.shmmax": "1"} | .linux.namespaces |= map(select(.type != "ipc"))'; rt create -b $b $id
sysctl and host name :: is not allowed as it conflicts with :: none :: edit '.linux.sysctl = {"kernel.hostname": "x"}'; rt create -b $b $id
mount :: error mounting "/none" to rootfs at "/mnt" :: none :: edit '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/none", "options": ["bind"]}]'; rt create -b $b $id
file on a directory :: not a directory :: none :: edit '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc/passwd", "options": ["bind"]}]'; rt create -b $b $id
directory on a file :: not a directory :: none :: edit '.mounts += [{"destination": "/etc/passwd", "type": "bind", "source": "/etc", "options": ["bind"]}]'; rt create -b $b $id
file system :: no such device :: none :: edit '.mounts += [{"destination": "/mnt", "type": "nonesuch", "source": "x"}]'; rt create -b $b $id
systemd :: for systemd cgroup :: none :: edit '.linux.cgroupsPath = "/a"'; rt --systemd-cgroup create -b $b $id
hook :: error running hook :: none :: edit '.hooks.prestart = [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]'; rt create -b $b $id
hook's code :: exit status 3 :: none :: edit '.hooks.createContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]'; rt create -b $b $id
hook's words :: the reason :: none :: edit '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "echo the reason >&2; exit 3"]}]'; rt create -b $b $id
hook's time :: hook ran past specified timeout of 1.0s :: none :: edit '.hooks.prestart = [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]'; rt create -b $b $id
hook's file :: no such file or directory :: none :: edit '.hooks.prestart = [{"path": "/none"}]'; rt create -b $b $id
CASES
}

@test "phrases: the command line" {
	both <<'CASES'
no id :: "create" requires exactly 1 argument(s) :: none :: rt create -b $b
two ids :: "start" requires exactly 1 argument(s) :: none :: rt start $id more
too few :: "kill" requires a minimum of 1 argument(s) :: none :: rt kill
flag :: flag provided but not defined :: none :: rt create --nonesuch $id
global flag :: flag provided but not defined :: none :: rt --nonesuch list
signal :: unknown signal "BOGUS" :: running :: rt kill $id BOGUS
log format :: invalid log-format :: none :: rt --log-format bogus list
list format :: invalid format option :: running :: rt list -f bogus
ps format :: invalid format option :: running :: rt ps -f bogus $id
CASES
}
