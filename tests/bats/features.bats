#!/usr/bin/env bats
# features: what engines ask before they choose.
load helpers

@test "features is JSON of the specification's shape" {
	rf features | jq -e '(.ociVersionMin | startswith("1.")) and (.ociVersionMax | startswith("1."))
		and (.hooks | index("createRuntime")) and (.mountOptions | index("rro"))
		and (.linux.namespaces | index("pid")) and (.linux.capabilities | index("CAP_KILL"))
		and .linux.cgroup.v1 and .linux.cgroup.v2 and .linux.seccomp.enabled
		and (.linux.seccomp.archs | index("SCMP_ARCH_X86_64"))'
}

@test "what features names works: every mount option is understood" {
	only_ours
	for o in $(rf features | jq -r '.mountOptions[]'); do
		case $o in
		bind | rbind | remount | idmap | ridmap | *shared | *slave | *private | *unbindable | mand | nomand) continue ;;
		esac
		jq --arg o "$o" '.mounts += [{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: [$o]}]' "$config" >"$T/c"
		run rf explain -b "$b" --config "$T/c" "$id" </dev/null
		[ "$status" -eq 0 ] || { echo "$o: $output"; return 1; }
	done
}

@test "features needs no state directory and no privilege" {
	only_ours
	chmod 755 "$T"
	cp "$RINGFENCE" "$T/rt" 2>/dev/null
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$T/rt" features
	ok
}
