# What every bats file shares: a bundle, a state directory of its own, and a
# comparison of the host before and after each test.
#
#   RINGFENCE   the runtime under test (default: ringfence at the top of the tree)
#   RF_VIEW     hybrid, v1, v2 or hostvm: the view of cgroups that the suite runs in
#
# Whatever a test leaves on the host, a mount, a cgroup, a link, a process or a
# state file, fails it in teardown.

bats_require_minimum_version 1.5.0
top=$(cd "${BATS_TEST_DIRNAME}/../.." && pwd)
RINGFENCE=${RINGFENCE:-$top/ringfence}
case $RINGFENCE in
*/*) RINGFENCE=$(realpath "$RINGFENCE") ;;
*) RINGFENCE=$(command -v "$RINGFENCE") ;;
esac
export RINGFENCE
# What script(1) gives its line to: a build server may have no such variable, and dash doesn't know what bash declares.
export SHELL=/bin/bash
RF_VIEW=${RF_VIEW:-hybrid}
helpers=$top/build/helpers

setup() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/rft.XXXXXX")
	own_id=rft-${T##*.} # teardown's: a test may have changed id when it ends
	id=$own_id
	b=$T/b
	config=$b/config.json
	host_before=$(host_snapshot)
	new_bundle "$b"
	if declare -F extra_setup >/dev/null; then extra_setup; fi
}

teardown() {
	local c rc=0 after
	if declare -F extra_teardown >/dev/null; then extra_teardown || rc=1; fi
	id=$own_id
	[ -n "${BATS_TEST_COMPLETED:-}" ] || last_words
	for c in "$id" "$id-2" "$id-3"; do
		[ ! -e "$T/state/$c" ] || rf delete --force "$c" </dev/null >/dev/null 2>&1 || true
	done
	# Names with a dot in front are caches, no containers.
	if [ -d "$T/state" ] && [ -n "$(ls "$T/state")" ]; then
		echo "left in the state directory: $(ls "$T/state")"
		rc=1
	fi
	after=$(host_snapshot)
	if [ "$after" != "$host_before" ]; then
		echo "the host isn't what it was before:"
		diff <(echo "$host_before") <(echo "$after") || true
		end_groups "$own_id"
		rc=1
	fi
	pkill_ours || rc=1
	rm -rf --one-file-system "$T"
	return $rc
}

# For a test that failed: what its guests' kernels said last. Their logs go with the containers.
last_words() {
	local log
	for log in "$T"/state/*/console.log; do
		[ -f "$log" ] || continue
		log=${log%/console.log}
		echo "${log##*/}: $(rf state "${log##*/}" </dev/null 2>&1 | jq -c '[.status, .pid]' 2>&1), its console's end:"
		tail -n 20 "$log/console.log"
	done
}

# Everything of the host that a container could change and leave behind. Few programs: it runs twice
# for each test.
host_snapshot() {
	{
		awk -v keep="$T/keep" '
			# Mounts whose ids alone differ are the same mounts.
			FILENAME == "/proc/self/mountinfo" { if (!index($0, keep)) print "mount", $3, $4, $5; next }
			FILENAME == "/proc/net/dev" {
				if (FNR > 2 && sub(/:.*/, "") && $1 !~ /^(veth|podman|tap|br-)/) print "link", $1
				next
			}
			{ print "sysctl", FILENAME, $0 }' /proc/self/mountinfo /proc/net/dev /proc/sys/kernel/hostname \
			/proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward
		find /sys/fs/cgroup -mindepth 1 -maxdepth 4 -type d -path "*$id*" -printf 'cgroup %p\n' 2>/dev/null
	} | sort
}

# groups_swept ID: a peer's delete may leave a group whose process was still ending; no test of ours
# is to be blamed for it. Only for another runtime's containers.
groups_swept() {
	local at=(/sys/fs/cgroup -mindepth 1 -maxdepth 4 -depth -type d -path "*$1*")
	find "${at[@]}" -exec rmdir {} \; 2>/dev/null
	[ -z "$(find "${at[@]}" 2>/dev/null)" ]
}

# end_groups ID: what a broken runtime left running, as one that a guest has overwritten: it disturbs no other test.
end_groups() {
	local g
	while read -r g; do
		[ ! -e "$g/freezer.state" ] || echo THAWED >"$g/freezer.state"
		[ ! -e "$g/cgroup.freeze" ] || echo 0 >"$g/cgroup.freeze"
		xargs -r kill -KILL <"$g/cgroup.procs"
	done < <(find /sys/fs/cgroup -mindepth 1 -maxdepth 4 -type d -path "*$1*" 2>/dev/null) 2>/dev/null
	until_true groups_swept "$1" || true
	# Their parent goes with the last of them, as it does with a delete.
	rmdir /sys/fs/cgroup/{,*/}ringfence 2>/dev/null || true
}

# Processes of this test that outlived it: by state directory on their command line.
pkill_ours() {
	local p left=
	for p in $(grep -alF -- "$T" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
		[ "$p" != "$$" ] && [ "$p" != "$BASHPID" ] && [ -r "/proc/$p/cmdline" ] || continue
		case $(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null) in
		*bats* | "") continue ;;
		esac
		left+="$p: $(tr '\0' ' ' <"/proc/$p/cmdline")"$'\n'
		kill -KILL "$p" 2>/dev/null
	done
	[ -z "$left" ] || {
		echo "processes left: $left"
		return 1
	}
}

# new_bundle DIR: busybox as a root file system, `spec` as its configuration. Made once a run and
# copied: forty programs for each test would cost most of its time where processes are dear.
new_bundle() {
	local template=$BATS_RUN_TMPDIR/bundle
	[ -d "$template" ] || make_bundle "$template" || return 1
	cp -a "$template" "$1"
}

make_bundle() {
	local d=$1.making a
	mkdir -p "$d"/rootfs/{bin,etc,proc,sys,dev,tmp,run,root,mnt}
	cp "$(command -v busybox)" "$d/rootfs/bin/busybox"
	for a in sh cat echo id hostname ps ls mount grep sleep head wc dd sort touch awk env kill true false \
		stat readlink mkdir rm ln cut test tty stty seq date nc chmod chown umask printf sed tr mknod \
		ifconfig ip umount usleep find setsid nohup trap ulimit unshare chroot; do
		ln -sf busybox "$d/rootfs/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n' >"$d/rootfs/etc/passwd"
	printf 'root:x:0:\nguest:x:1000:\nextra:x:1234:guest\n' >"$d/rootfs/etc/group"
	(cd "$d" && "$RINGFENCE" spec) || return 1
	jq '.process.terminal = false | .process.args = ["true"]' "$d/config.json" >"$d/c" && mv "$d/c" "$d/config.json"
	mv "$d" "$1"
}

rf() { "$RINGFENCE" --root "$T/state" "$@"; }

# cfg [JQ-OPTIONS] FILTER: edits the bundle's configuration.
cfg() { jq "$@" "$config" >"$config.new" && mv "$config.new" "$config"; }

# args WORD…: what the container runs; sh_args 'SCRIPT': a shell line.
sh_args() { args sh -c "$1"; }
args() { jq '.process.args = $ARGS.positional' "$config" --args -- "$@" >"$config.new" && mv "$config.new" "$config"; }

# go [OPTION…]: a whole container in the foreground; bats' run holds what it printed.
go() { run rf run -b "$b" "$@" "$id" </dev/null; }

# create and start in the background; standard output goes to $T/out.
# Descriptor 3 is bats' own: a container must not hold it.
create() { rf create -b "$b" "$@" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }; }
start() { rf start "$id" 3>&-; }
up() { sh_args "${1:-exec sleep 1000}" && create && start; }

status() { rf state "${1:-$id}" | jq -r .status; }
pid() { rf state "${1:-$id}" | jq -r .pid; }

# until_true COMMAND…: waits up to 5 s for a condition that another process brings about; where a machine is
# emulated within an emulated one, 25 s.
until_true() {
	local i end=0
	[ "${RF_WALL:-}" != microvm ] || end=$((SECONDS + 25))
	for ((i = 0; i < 100 || SECONDS < end; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "never came true: $*"
	return 1
}
is_status() { [ "$(status)" = "$1" ]; }
# gone PID: ended, or a zombie that waits for whoever adopted it.
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }
stopped() { is_status stopped; }

# down: ends the container the ordinary way.
down() {
	rf kill "$id" KILL 2>/dev/null || true
	until_true stopped && rf delete "$id"
}

# ok_is TEXT / has TEXT / fails_with TEXT: about the last `run`.
ok() { [ "$status" -eq 0 ] || { echo "exit $status: $output"; return 1; }; }
is() { ok && [ "$output" = "$1" ] || { echo "exit $status, got: $output"; echo "wanted: $1"; return 1; }; }
has() { [[ $output == *"$1"* ]] || { echo "exit $status, no '$1' in: $output"; return 1; }; }
hasnt() { [[ $output != *"$1"* ]] || { echo "'$1' in: $output"; return 1; }; }
exit_is() { [ "$status" -eq "$1" ] || { echo "exit $status instead of $1: $output"; return 1; }; }
# A refusal: not 0, and neither a signal's doing nor a sanitizer's.
refused() {
	[ "$status" -ne 0 ] && [ "$status" -lt 128 ] || [ "$status" -eq 255 ] || { echo "exit $status: $output"; return 1; }
	hasnt Sanitizer
	[ -z "${1:-}" ] || has "$1"
	nothing_left
}
nothing_left() {
	[ ! -e "$T/state/$id" ] || { echo "state of a refused container is left"; return 1; }
}

# By either of its names.
ours() { [[ ${RINGFENCE##*/} == ringfence || ${RINGFENCE##*/} == ringfence-vm ]]; }
only_ours() { ours || skip "a subject of ringfence alone"; }

# v2 is a plain v2 machine: unified at /sys/fs/cgroup.
cgroup_v2() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }

# need_controller NAME: skips when this view has none.
need_controller() {
	if cgroup_v2; then
		grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || skip "the $RF_VIEW view has no $1 controller"
	else
		[ -d "/sys/fs/cgroup/$1" ] || skip "the $RF_VIEW view has no $1 controller"
	fi
}

# cg_file V1-CONTROLLER V1-FILE V2-FILE: the content of the container's own group file.
cg_file() {
	local p
	p=$(pid)
	if cgroup_v2; then
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$p/cgroup")/$3"
	else
		cat "/sys/fs/cgroup/$1$(awk -F: -v c="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }' "/proc/$p/cgroup")/$2"
	fi
}

need() { command -v "$1" >/dev/null || skip "$1 isn't installed"; }
need_helper() { [ -x "$helpers/$1" ] || skip "build/helpers/$1 isn't built (make helpers)"; }

# Whether a micro-VM can run here; need_vm skips where it can't, or there is no kernel for its guest.
vm_host() { "$RINGFENCE" vm check >/dev/null 2>&1; }
need_vm() {
	vm_host || skip "no micro-VM can run here: $("$RINGFENCE" vm check | sed -n 's/^micro-VM *//p')"
	[ -r "${RINGFENCE_KERNEL:-}" ] || skip "no guest kernel is given"
}

# spoil_templates memory|text|state: in each there are zeroes where the guest's memory was (the header's
# fourth number says where), jumps to themselves where its kernel's program was, which hang it, or noise
# behind the header, where processors are described.
spoil_templates() {
	local f size memory
	for f in /run/ringfence/.templates/*; do
		memory=$(od -An -td8 -j24 -N8 "$f" | tr -d ' ')
		case $1 in
		memory)
			size=$(stat -c %s "$f")
			truncate -s "$memory" "$f"
			truncate -s "$size" "$f"
			;;
		text)
			printf '\353\376%.0s' {1..65536} >"$T/circles"
			for _ in {1..64}; do cat "$T/circles"; done |
				dd of="$f" bs=1M seek=$((memory + (16 << 20))) oflag=seek_bytes conv=notrunc status=none
			;;
		state) printf '\377%.0s' {1..64} | dd of="$f" bs=1 seek=40 conv=notrunc status=none ;;
		esac
	done
}
