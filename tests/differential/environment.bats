# What a program finds around it under runc and under ringfence: mounts, devices, process, limits,
# descriptors, names, and the files of its control groups; for run, exec, a terminal, a user and a user
# namespace. A part of /dump is a case.
load like

extra_setup() {
	cfg '.ociVersion = "1.0.2-dev" | .process.args = ["sh", "/dump", "all"]
		| .linux.cgroupsPath = "/\($id)"' --arg id "$id"
	cat >"$b/rootfs/dump" <<'DUMP'
part() {
	case $1 in
	# Place, options, whether shared, type, source. The tmpfs over the cgroup mounts is read-only
	# with us where the mount asks for that, what masks folders has more options than ro, and nothing
	# is the host's slave unless rootfsPropagation says so. /dev/console comes later with us.
	mounts) awk '{ o = $6; t = ""; for (i = 7; $i != "-"; i++) { if (sub(/^shared:.*/, "shared", $i)) t = t " " $i }
			if ($5 == "/sys/fs/cgroup" || $5 ~ /^.(proc.acpi|proc.scsi|sys.firmware)$/) o = "-"
			print $5, o t, $(i + 1), $(i + 2) }' /proc/self/mountinfo | sed 's|^\(/sys/fs/cgroup/systemd .*\) [a-z]*$|\1|' | sort ;;
	# The owner of the queues' root in a user namespace is nobody: their namespace is made together with it.
	devices) ls -la /dev /dev/pts /dev/shm /dev/mqueue | sed -E 's/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]+ +[0-9:]+//; s/^total.*//; s/^(drwxrwxrwt +2) .* 40 +(mqueue|.)$/\1 \2/' ;;
	status) grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|Seccomp|Sig[BIC]|ShdPnd|FDSize|CoreDumping|Cpus_allowed_list|Mems_allowed_list)' /proc/self/status ;;
	first) grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|Seccomp|SigBlk|ShdPnd)' /proc/1/status
		cat /proc/1/oom_score_adj /proc/1/comm ;;
	limits) cat /proc/self/limits /proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/timerslack_ns /proc/self/personality ;;
	environment) env | sort; pwd; umask ;;
	descriptors) for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && echo $i; done ;;
	session) awk '{ print ($1 == $5), ($1 == $6), ($7 != 0), ($7 != 0 && $1 == $8), $18, $19, $38, $40, $41 }' /proc/$$/stat ;;
	names) hostname; cat /proc/sys/kernel/domainname ;;
	keys) awk '{ print NF, $8, $9 }' /proc/keys; cat /proc/self/attr/current /proc/self/attr/exec 2>/dev/null ;;
	maps) cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups ;;
	groups) sed 's/^[0-9]*://' /proc/self/cgroup | grep -E '^(pids|cpu|freezer|devices|blkio|cpuset):' | sort ;;
	interfaces) ip a; cat /proc/net/route /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range ;;
	masks) for f in /proc/kcore /proc/keys /proc/timer_list /proc/acpi /proc/scsi /sys/firmware; do
			[ ! -e $f ] || { ls -ld $f | cut -c 1-10; wc -c <$f; ls -A $f | grep -vx $f; } 2>&1
		done
		for f in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do [ -w $f ] && touch -c $f 2>&1; done ;;
	root) ls -la / | sed -E 's/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]+ +[0-9:]+//; s/^total.*//; s/ [0-9]+ root +root +0 +proc$/ proc/; / proc$/s/ +([0-9]+ +)?/ /' ;;
	esac
}
part $1
DUMP
	cat >"$b/parts" <<'PARTS'
mounts
devices
status
first
limits
environment
descriptors
session
names
keys
maps
groups
interfaces
masks
root
PARTS
}

# In the foreground, by a configuration whose program is that part.
ran() { jq --arg p "$1" '.process.args[2] = $p' "$config" >"$T/c" && cp "$T/c" "$config" && rt run -b "$b" "$id"; }
exec_it() { rt exec "$id" sh /dump "$1"; }
# The terminal is script's, its end of input what it types.
typed() { script -qec "${exe[*]} --root $T/root-$who $2 $id ${3:-}" /dev/null </dev/null | tr -d '\r' | sed 's/^\^@//'; }
tty_exec() { typed "$1" "exec -t" "sh /dump $1"; }
tty_ran() { jq --arg p "$1" '.process.args[2] = $p' "$config" >"$T/c" && cp "$T/c" "$config" && typed "$1" "run -b $b"; }

# parts HOW BEFORE: each part a case of likes.
parts() {
	likes runc "$2" < <(while read -r p; do echo "$p: $1 $p"; done <"$b/parts")
}

user_namespace() {
	cfg '.linux.namespaces += [{type: "user"}] | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.uidMappings = .linux.gidMappings'
	chmod 755 "$T" "$b"
	chown -R 100000:100000 "$b/rootfs"
}

@test "environment: of run" { parts ran none; }
@test "environment: of a terminal" { cfg '.process.terminal = true' && parts tty_ran none; }
@test "environment: of exec" {
	args sleep 1000
	parts exec_it running
}
@test "environment: of exec with a terminal" {
	args sleep 1000
	parts tty_exec running
}
@test "environment: of a user" {
	cfg '.process.user = {uid: 1000, gid: 1000, umask: 23, additionalGids: [5, 6]} | .process.oomScoreAdj = 100'
	parts ran none
}
@test "environment: of a user namespace" {
	user_namespace
	parts ran none
}
@test "environment: of exec in a user namespace" {
	user_namespace
	args sleep 1000
	parts exec_it running
}
@test "environment: without much" {
	cfg 'del(.linux.maskedPaths, .linux.readonlyPaths, .process.rlimits, .process.capabilities, .process.noNewPrivileges, .hostname)
		| .root.readonly = false | .process.env = []'
	parts ran none
}

# Every file that can be read, but for what counts.
group_files() {
	local c f d
	for c in blkio cpu cpuset devices freezer pids; do
		d=$(group "$c")
		stat -c "$c %a %U" "$d"
		for f in "$d"/*; do
			case ${f##*/} in *stat* | *usage* | *service* | *serviced* | *peak | cgroup.procs | tasks | *_merged* | *_queued* | *time* | *sectors*) continue ;; esac
			[ ! -f "$f" ] || { echo "$c/${f##*/} $(sort "$f" 2>/dev/null | tr '\n' ' ')"; }
		done
	done
}
@test "environment: control groups" {
	args sleep 1000
	likes runc running <<'CASES'
files: group_files | grep -v devices.list
devices: group_files | sed -n 's/^devices.devices.list //p' | sed 's/c [0-9:]* rwm //g'
CASES
}
