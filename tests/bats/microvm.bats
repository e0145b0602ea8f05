#!/usr/bin/env bats
# A container in a machine of its own (docs/design/03-microvm.md): what is particular to it. That the rest
# is the same, the other files show, run with RF_WALL=microvm (tests/host-vm/run.sh).
load helpers

vm() { run rf run --isolation=microvm -b "$b" "$id" </dev/null; }
volume() { cfg --arg s "$T/v" --argjson o "$1" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: $o}]'; }
vm_up() {
	sh_args "${1:-exec sleep 1000}"
	rf create --isolation=microvm -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	start
}

@test "vm check says why not, and a create with it" {
	! vm_host || skip "this host can"
	run -1 "$RINGFENCE" vm check
	has "micro-VM"
	why=$(sed -n 's/^micro-VM *//p' <<<"$output")
	vm
	refused "this host can't run a micro-VM: $why"
}

@test "an unknown isolation is refused; the annotation's words are checked" {
	run rf run --isolation=plywood -b "$b" "$id" </dev/null
	refused "shared, microvm"
	cfg '.annotations["io.ringfence.isolation"] = "plywood"'
	go
	refused /annotations/io.ringfence.isolation
}

@test "vm in the configuration and shared on the command line contradict each other" {
	cfg '.vm = {kernel: {path: "/k"}}'
	run rf run --isolation=shared -b "$b" "$id" </dev/null
	refused /vm
}

@test "the guest's kernel is another one; exit code, output and errors come through" {
	need_vm
	sh_args 'cat /proc/sys/kernel/osrelease; echo to-err >&2; exit 7'
	run --separate-stderr rf run --isolation=microvm -b "$b" "$id" </dev/null
	exit_is 7
	[ "$output" != "$(uname -r)" ]
	[[ $output == *-ringfence ]]
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = to-err ]
}

@test "by annotation, by the vm section, by the program's name" {
	need_vm
	args cat /proc/sys/kernel/osrelease
	cfg '.annotations["io.ringfence.isolation"] = "microvm"'
	run rf run -b "$b" "$id" </dev/null
	[[ $output == *-ringfence ]]
	cfg --arg k "$RINGFENCE_KERNEL" 'del(.annotations) | .vm = {kernel: {path: $k, parameters: ["a.word=1"]}, hwConfig: {vcpus: 1, memory: 268435456}}'
	sh_args 'cat /proc/sys/kernel/osrelease; grep -c processor /proc/cpuinfo; grep -o a.word=1 /proc/cmdline; awk "/MemTotal/ { print (\$2 < 262144) }" /proc/meminfo'
	run rf run -b "$b" "$id" </dev/null
	[[ ${lines[0]} == *-ringfence ]]
	[ "${lines[1]} ${lines[2]} ${lines[3]}" = "1 a.word=1 1" ]
	cp "$RINGFENCE" "$T/ringfence-vm"
	cfg 'del(.vm)'
	args cat /proc/sys/kernel/osrelease
	run "$T/ringfence-vm" --root "$T/state" run -b "$b" "$id" </dev/null
	[[ $output == *-ringfence ]]
}

@test "the second start goes on from a template, and has its own randomness and time" {
	need_vm
	sh_args 'cat /proc/sys/kernel/random/uuid; date +%s'
	vm
	ok
	first=${lines[0]}
	[ -n "$(find /run/ringfence/.templates -mindepth 1)" ]
	before=$(date +%s)
	vm
	ok
	[ "${lines[0]}" != "$first" ]
	# However long a start takes here.
	((before - 2 <= lines[1] && lines[1] <= $(date +%s) + 2))
	cfg '.annotations["io.ringfence.no-template"] = "1"'
	vm
	ok
}

@test "a damaged template is no obstacle" {
	need_vm
	args true
	vm
	for f in /run/ringfence/.templates/*; do truncate -s 5000 "$f"; done
	vm
	ok
	vm
	ok
}

@test "a template that leads to no container: the start boots instead, and nobody takes that template again" {
	need_vm
	args true
	rm -f /run/ringfence/.templates/*
	vm
	for what in "memory stopped" "text said nothing" "state damaged"; do
		spoil_templates "${what%% *}"
		spoilt=$(stat -c %i /run/ringfence/.templates/*)
		vm_up
		grep -q "a template was no good, a machine boots instead: .*${what#* }" "$T/err"
		[ -z "$(find /run/ringfence/.templates -inum "$spoilt")" ]
		# It is as good as any: its threads are limited, it is asked, and it ends.
		for t in /proc/"$(pid)"/task/*; do grep -q "^Seccomp:.2$" "$t/status"; done
		run rf exec "$id" cat /proc/1/comm </dev/null
		is sleep
		down
		for _ in boot template; do
			vm_up
			[ ! -s "$T/err" ]
			down
		done
	done
}

@test "files: the container's root and a volume are the host's" {
	need_vm
	mkdir "$T/v"
	echo in >"$T/v/f"
	volume '["rbind"]'
	cfg '.root.readonly = false | .process.capabilities |= map_values(. + ["CAP_CHOWN", "CAP_FOWNER", "CAP_FSETID"])'
	sh_args 'cat /mnt/f; echo out >/mnt/g; ln /mnt/g /mnt/h; mkdir -p /root/a/b; chown 1000:1000 /mnt/g; chmod 4711 /mnt/g; stat -c "%a %u %h" /mnt/g'
	vm
	is $'in\n4711 1000 2'
	[ "$(cat "$T/v/g")" = out ]
	[ -d "$b/rootfs/root/a/b" ]
	[ "$(stat -c '%a %u' "$T/v/h")" = "4711 1000" ]
	cfg '.mounts[-1].options = ["rbind", "ro"]'
	sh_args 'touch /mnt/x'
	vm
	exit_is 1
	has "Read-only"
}

@test "files: a link in a share leads nowhere on the host" {
	need_vm
	mkdir "$T/v"
	echo secret >"$T/secret"
	ln -s "$T/secret" "$T/v/link"
	ln -s ../secret "$T/v/up"
	volume '["rbind"]'
	sh_args 'cat /mnt/link /mnt/up /mnt/../secret; mknod /mnt/null c 1 3; ls /mnt'
	vm
	hasnt secret$'\n'
	[ ! -e "$T/v/null" ]
}

@test "exec: streams, exit codes, terminal, detached" {
	need_vm
	vm_up
	run rf exec "$id" sh -c 'echo a; exit 3' </dev/null
	exit_is 3
	has a
	[ "$(echo typed | rf exec "$id" cat)" = typed ]
	run script -qec "$RINGFENCE --root $T/state exec -t $id sh -c 'tty; exit 5'" /dev/null </dev/null
	exit_is 5
	has /dev/pts/
	rf exec -d --pid-file "$T/pid" "$id" sleep 50 </dev/null >/dev/null 2>&1 3>&-
	kill -0 "$(cat "$T/pid")"
	rf kill "$id" KILL
	until_true stopped
	until_true gone "$(cat "$T/pid")"
	rf delete "$id"
}

@test "the monitor is the container's process: no root, no capability, few system calls, its group" {
	need_vm
	vm_up
	p=$(pid)
	grep -q "^CapEff:.0*$" "/proc/$p/status"
	grep -q "^NoNewPrivs:.1$" "/proc/$p/status"
	for t in /proc/"$p"/task/*; do grep -q "^Seccomp:.2$" "$t/status"; done
	[ -z "$(ls -A "/proc/$p/root/")" ]
	for ns in user mnt pid net ipc uts; do
		[ "$(readlink "/proc/$p/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ]
	done
	[[ $(sed -n 's/^NSpid://p' "/proc/$p/status") == *"$p"*1 ]]
	# Its file server: the same processes and no others, files, and calls for files alone.
	f=$(pgrep -P "$p")
	[ "$(readlink "/proc/$f/ns/pid")" = "$(readlink "/proc/$p/ns/pid")" ]
	for t in /proc/"$f"/task/*; do grep -q "^Seccomp:.2$" "$t/status"; done
	[ -z "$(ls -A "/proc/$f/root/")" ]
	grep -q "$id" "/proc/$p/cgroup"
	[ -z "$(find "/proc/$p/fd" -mindepth 1 -printf '%l\n' | grep -E '^(/[a-z]+)+$' | grep -vE '/dev/null|/dev/kvm|console.log|vmlinux|/ringfence|/exe|out$|err$')" ]
	down
}

@test "pause and resume" {
	need_vm
	vm_up 'i=0; while :; do echo $((i += 1)); usleep 20000; done'
	until_true test -s "$T/out"
	rf pause "$id"
	[ "$(status)" = paused ]
	sleep 0.3
	n=$(wc -l <"$T/out")
	sleep 0.5
	[ "$(wc -l <"$T/out")" = "$n" ]
	rf resume "$id"
	more() { [ "$(wc -l <"$T/out")" -gt "$n" ]; }
	until_true more
	down
}

@test "what a micro-VM can't honour is refused by its place" {
	need_vm
	args true
	while IFS=@ read -r filter pointer; do
		cp "$config" "$T/saved"
		cfg "$filter"
		vm
		refused "$pointer"
		cp "$T/saved" "$config"
	done <<-'END'
		.linux.namespaces |= map(select(.type != "pid"))@/linux/namespaces
		.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/1/ns/ipc" else . end)@/linux/namespaces/
		.linux.namespaces |= map(select(.type != "network"))@/linux/namespaces
		.linux.netDevices = {lo: {}}@/linux/netDevices
		.vm = {kernel: {path: "/k"}, image: {path: "/i", format: "vdi"}}@/vm/image/format
		.vm = {kernel: {path: "/k"}, image: {path: "/i", format: "qcow2"}} | .root.readonly = false@/vm/image/format
		.vm = {hypervisor: {path: "/h"}, kernel: {path: "/k"}}@/vm/hypervisor
		.vm = {kernel: {path: "/k"}, hwConfig: {memory: 1048576}}@/vm/hwConfig/memory
	END
}

@test "trouble has one clear line: kernel missing, not a kernel, cut off; a hook that fails" {
	need_vm
	args true
	cfg --arg k "$T/none" '.vm = {kernel: {path: $k}}'
	vm
	refused "$T/none"
	head -c 100000 /dev/urandom >"$T/none"
	vm
	refused "not a kernel"
	head -c 300000 "$RINGFENCE_KERNEL" >"$T/none"
	vm
	refused "the file ends too early"
	cfg 'del(.vm) | .hooks = {createRuntime: [{path: "/bin/false"}]}'
	vm
	refused createRuntime
	cfg 'del(.hooks)'
	args no-such-program
	vm
	refused "executable file not found"
}

@test "a guest that panics ends the container, and says so" {
	need_vm
	cfg '.process.capabilities.bounding += ["CAP_SYS_BOOT"] | .process.capabilities.effective += ["CAP_SYS_BOOT"] | .process.capabilities.permitted += ["CAP_SYS_BOOT"]'
	cfg '.vm = {kernel: {path: env.RINGFENCE_KERNEL, parameters: ["init=/nothing", "rdinit=/nothing"]}}'
	args true
	vm
	refused "kernel stopped"
}

@test "a guest that goes down under a running container: run says so" {
	need_vm
	sh_args 'echo up; exec sleep 1000'
	rf run --isolation=microvm -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- &
	until_true test -s "$T/out"
	# The agent's own way out, as a frame of its protocol.
	perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ARGV[0]) or die $!; print $s pack("V/a*", q({"verb":"shutdown"})); $s->flush; <$s>' \
		"$T/state/$id/agent.sock" </dev/null 3>&-
	code=0
	wait $! || code=$?
	cat "$T/err"
	[ "$code" = 255 ]
	[ "$(wc -l <"$T/err")" = 1 ]
	grep -Eq "micro-VM.* (ended|stopped) before" "$T/err"
	[ ! -e "$T/state/$id" ]
}

@test "kill -9 of the monitor leaves nothing" {
	need_vm
	vm_up
	kill -9 "$(pid)"
	until_true stopped
	rf delete "$id"
}

@test "forty volumes; the file server holds them and nothing of the monitor's" {
	need_vm
	for i in {1..40}; do
		mkdir -p "$T/v$i"
		echo "$i" >"$T/v$i/f"
		cfg --arg s "$T/v$i" --arg d "/mnt/$i" '.mounts += [{destination: $d, type: "bind", source: $s, options: ["rbind"]}]'
	done
	vm_up 'cat /mnt/*/f | wc -l; exec sleep 1000'
	until_true grep -qx 40 "$T/out"
	files=$(pgrep -P "$(pid)")
	[ -n "$files" ]
	run readlink "/proc/$files/fd/"*
	ok
	hasnt /dev/kvm
	hasnt anon_inode:kvm
	hasnt console.log
	hasnt ringfence
	down
}
