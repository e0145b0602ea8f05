#!/usr/bin/env bats
# Least privilege of our own: what the program does with the rights that it has, seen by strace and in /proc.
load helpers

extra_setup() { only_ours; }

# traced RF-ARGUMENT…: a file a process, $T/trace.PID, of the calls that name files or change rights.
traced() {
	need strace
	rm -f "$T"/trace.*
	strace -ff -y -o "$T/trace" -e trace=%file,openat2,open_tree,move_mount,mount_setattr,fspick,fsopen,setns,capset,capget,prctl,seccomp,setresuid,setresgid,setgroups,bind,listen,umask \
		"$RINGFENCE" --root "$T/state" "$@"
}
# The process that became the container's program: it ran WORD.
program_of() { grep -lE "^execve\(\"[^\"]*/$1\"" "$T"/trace.* | head -n 1; }

# by_name: lines of a trace that resolve a path other than by the path layer (docs/security.md): from a descriptor with
# openat2 that ends in the root; from a descriptor without a path; one component beneath one, which isn't followed.
by_name() {
	grep -E '"' | grep -vE \
		-e '^openat2\([0-9]+<[^>]*>, "[^"]*", \{flags=[^}]*, resolve=[A-Z_|]*RESOLVE_NO_MAGICLINKS\|[A-Z_|]*RESOLVE_(IN_ROOT|BENEATH)' \
		-e '^(newfstatat|open_tree|mount_setattr|statx|fchownat|readlinkat)\([0-9]+<[^>]*>, "",.*(AT|TREE)_' \
		-e '^move_mount\([0-9]+<[^>]*>, "", [0-9]+<[^>]*>, "",' \
		-e '^move_mount\([0-9]+<[^>]*>, "", [0-9]+<[^>]*>, "[^/"]+", MOVE_MOUNT_F_EMPTY_PATH\)' \
		-e '^(mkdirat|mknodat|unlinkat)\([0-9]+<[^>]*>, "[^/"]+",' \
		-e '^symlinkat\("[^"]*", [0-9]+<[^>]*>, "[^/"]+"\)' \
		-e '^openat\([0-9]+<[^>]*>, "[^/"]+", [A-Z_|]*O_NOFOLLOW' \
		-e '^openat\([0-9]+<[^>]*>, "\.",' \
		-e '^(fsopen|fsconfig|prctl|capset)\('
}

# A document that uses every kind of path within the root.
all_kinds() {
	echo file >"$T/file"
	cfg --arg f "$T/file" '.root.readonly = false | .process.cwd = "/mnt/new/deep" | .linux.sysctl = {"kernel.msgmax": "4242"}
		| .process.oomScoreAdj = 77 | .linux.devices = [{path: "/dev/x/y", type: "c", major: 1, minor: 3}] | .process.user.additionalGids = [5]
		| .mounts += [{destination: "/mnt/t/deep", type: "tmpfs", source: "t", options: ["tmpcopyup"]},
			{destination: "/mnt/file", type: "bind", source: $f, options: ["bind", "ro"]}]
		| .linux.maskedPaths += ["/mnt/file", "/etc/group"] | .linux.readonlyPaths += ["/etc"]'
	args env
}

@test "after the pivot every path is resolved by the path layer" {
	all_kinds
	traced run -b "$b" "$id" </dev/null >/dev/null
	t=$(program_of env)
	[ "$(grep -c '^pivot_root' "$t")" = 1 ]
	# The switch itself, and what names the program: search, its directory (seen to lie in the root), execve.
	sed '1,/^pivot_root/d; /^execve/,$d' "$t" >"$T/after"
	[ "$(grep -c '^openat2(.*RESOLVE_IN_ROOT' "$T/after")" -ge 20 ]
	left=$(by_name <"$T/after" | grep -vE -e '^umount2\("\.", MNT_DETACH\)' -e '^chdir\("(/|/mnt/new/deep)"\)' -e '^getcwd\(' \
		-e '^newfstatat\(AT_FDCWD<[^>]*>, "/[a-z/]*/env", ' || true)
	[ -z "$left" ] || { echo "by name: $left"; false; }
}

@test "before the pivot the root's path is named once, and a bind's source once" {
	all_kinds
	traced run -b "$b" "$id" </dev/null >/dev/null
	# Entered once, by the runtime; the open before it (O_PATH, and what /proc calls it) only finds the name for the state.
	# All that follows starts from a descriptor (CVE-2024-42472 for the source).
	[ "$(cat "$T"/trace.* | grep -F "\"$b/rootfs" | grep -vcE '^readlink|O_PATH')" = 1 ] || { grep -hF "\"$b/rootfs" "$T"/trace.*; false; }
	[ "$(cat "$T"/trace.* | grep -cE "^(openat|openat2|open_tree)\([^\"]*\"$T/file\"")" = 1 ] || { grep -hF "\"$T/file\"" "$T"/trace.*; false; }
	left=$(sed '/^pivot_root/,$d' "$(program_of env)" | sed '1,/^move_mount/d' | by_name |
		grep -vE -e '^(openat|open_tree|readlinkat)\(AT_FDCWD<[^>]*>, "/(proc|sys/fs/cgroup)/' || true)
	[ -z "$left" ] || { echo "by name: $left"; false; }
}

@test "exec: hidden before it joins, and what it resolves in the container ends there" {
	up
	traced exec --user 1000 "$id" env </dev/null >/dev/null
	down
	t=$(program_of env)
	# The first to join is the one that forks the program's process, which inherits that it can't be traced.
	first=$(grep -l '^setns.*CLONE_NEWPID' "$T"/trace.* | head -n 1)
	sed '/^setns/,$d' "$first" | grep -q '^prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE'
	run ! grep -h '^prctl(PR_SET_DUMPABLE, SUID_DUMP_USER' "$T"/trace.*
	left=$(tac "$t" | sed '/^setns/,$d' | tac | sed '/^execve/,$d' | by_name |
		grep -vE -e '^openat\(AT_FDCWD<[^>]*>, "/", [A-Z_|]*O_PATH' -e '^chdir\("/"\)' -e '^getcwd\(' -e '^newfstatat\(AT_FDCWD<[^>]*>, "/[a-z/]*/env", ' || true)
	[ -z "$left" ] || { echo "by name: $left"; false; }
}

@test "no library or name service of the container is opened (CVE-2019-14271)" {
	mkdir -p "$b/rootfs/lib/x86_64-linux-gnu" "$b/rootfs/lib64" "$b/rootfs/usr/lib/locale"
	echo 'passwd: evil files' >"$b/rootfs/etc/nsswitch.conf"
	cp "$helpers/racer" "$b/rootfs/lib/x86_64-linux-gnu/libnss_evil.so.2"
	cp "$helpers/racer" "$b/rootfs/lib/x86_64-linux-gnu/libnss_files.so.2"
	args env
	traced run -b "$b" "$id" </dev/null >/dev/null
	[ -n "$(program_of env)" ]
	run ! grep -hE '\.so[."]|nsswitch|ld\.so|/gconv|locale' "$T"/trace.*
	up
	traced exec --user 1000 "$id" env </dev/null >/dev/null
	down
	[ -n "$(program_of env)" ]
	run ! grep -hE '\.so[."]|nsswitch|ld\.so|/gconv|locale' "$T"/trace.*
}

# last_rights FILE: what comes after the last capset, but for the filter and no_new_privs: the program alone.
last_rights() {
	[ "$(tac "$1" | sed '/^capset/,$d' | tac | grep -vE '^(prctl\(PR_SET_(NO_NEW_PRIVS|SECCOMP)|seccomp\()' | head -n 1 | cut -d'(' -f1)" = execve ] || {
		tac "$1" | sed '/^capset/,$d' | tac | head
		return 1
	}
}

@test "the capabilities are gone before the program comes, and nothing is done between" {
	args env
	traced run -b "$b" "$id" </dev/null >/dev/null
	t=$(program_of env)
	last_rights "$t"
	# All that the set doesn't have are dropped for good, before.
	grep -q '^prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) *= 0' "$t"
	[ "$(grep -n '^prctl(PR_CAPBSET_DROP' "$t" | tail -n 1 | cut -d: -f1)" -lt "$(grep -n '^capset' "$t" | tail -n 1 | cut -d: -f1)" ]
	up
	traced exec "$id" env </dev/null >/dev/null
	p=$(pid)
	for s in CapInh CapPrm CapEff CapBnd CapAmb; do
		want=0000000020000420
		[[ $s != CapInh && $s != CapAmb ]] || want=0000000000000000
		[ "$(awk -v s=$s: '$1 == s { print $2 }' "/proc/$p/status")" = $want ] || { cat "/proc/$p/status"; false; }
	done
	down
	last_rights "$(program_of env)"
}

@test "of the state only root reads, and no link in it is followed" {
	umask 0
	args env
	traced run -b "$b" --keep "$id" </dev/null >/dev/null
	rf delete "$id"
	# Each file that is made there is new or named by a descriptor, and never through a link.
	made=$(cat "$T"/trace.* | grep -E '^open(at)?\(.*O_(CREAT|WRONLY|RDWR)' | grep -F "<$T/state" || true)
	[ "$(wc -l <<<"$made")" -ge 3 ]
	run ! grep -v O_NOFOLLOW <<<"$made"
	up
	[ "$(stat -c %a "$T/state/$id")" = 700 ]
	run find "$T/state/$id" -type f -perm /177
	is ""
	down
}

@test "nothing listens on an abstract socket, in any state (CVE-2020-15257)" {
	need python3
	cfg '.linux.namespaces |= map(select(.type != "network"))'
	args sleep 1000
	# A network namespace of its own stands for the host's: whose sockets are in it is sure.
	abstract() { nsenter -t "$(pid)" -n grep -c ' @' /proc/net/unix || true; }
	unshare -n "$RINGFENCE" --root "$T/state" create -b "$b" "$id" </dev/null >"$T/out" 2>&1 3>&-
	[ "$(abstract)" = 0 ]
	# It is seen where one is.
	nsenter -t "$(pid)" -n python3 -c 'import socket,time; s = socket.socket(socket.AF_UNIX); s.bind(b"\0rft"); s.listen(); print("up", flush=True); time.sleep(30)' >"$T/seen" 3>&- &
	seen=$!
	until_true grep -q up "$T/seen"
	[ "$(abstract)" = 1 ]
	kill $seen
	wait $seen || true
	start
	[ "$(abstract)" = 0 ]
	rf exec -d "$id" sleep 1000 </dev/null >/dev/null 2>&1 3>&-
	[ "$(abstract)" = 0 ]
	rf pause "$id"
	[ "$(abstract)" = 0 ]
	rf resume "$id"
	down
}

@test "nothing can be typed into the caller's terminal (CVE-2017-5226)" {
	need script
	need_helper inject
	cp "$helpers/inject" "$b/rootfs/bin/"
	run script -qec "$helpers/inject" /dev/null </dev/null
	# What the kernel lets the caller's own programs do says what the container's failure is worth.
	outside=$(grep -o 'TIOCSTI [a-zA-Z]*' <<<"$output" | cut -d' ' -f2)
	[ -n "$outside" ]
	for caps in '[]' '["CAP_KILL", "CAP_SYS_TTY_CONFIG"]'; do
		cfg --argjson c "$caps" '.process.capabilities[] = $c'
		args /bin/inject
		run script -qec "$RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
		[ "$outside" != ok ] || has "TIOCSTI EPERM"
		[ "$outside" != ok ] || has "TIOCSTI-again EPERM"
		hasnt " ok"
	done
}

@test "the default document's /dev has an end" {
	sh_args 'dd if=/dev/zero of=/dev/big bs=1024k count=80 2>/dev/null; echo $?; wc -c </dev/big'
	go
	is "1
67108864"
}
