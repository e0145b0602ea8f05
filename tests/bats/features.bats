#!/usr/bin/env bats
# features: says of this runtime what is true.
load helpers

extra_setup() {
	F=$T/features.json
	"$RINGFENCE" features >"$F" 2>/dev/null || skip "$RINGFENCE has no features verb"
}

@test "features is JSON with the versions of the specification" {
	jq -e '(.ociVersionMin | startswith("1.")) and (.ociVersionMax | startswith("1."))' "$F"
}

@test "the six hooks and the namespaces" {
	jq -e '.hooks | contains(["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"])' "$F"
	jq -e '.linux.namespaces | contains(["cgroup", "ipc", "mount", "network", "pid", "user", "uts"])' "$F"
}

@test "every capability named is one that the runtime takes, and the kernel's last is among them" {
	only_ours
	jq -e '.linux.capabilities | length >= 41' "$F"
	cfg --slurpfile f "$F" '.process.capabilities.bounding = $f[0].linux.capabilities'
	# What the caller itself hasn't can't be given: that is an error of its own.
	run rf run -b "$b" "$id" </dev/null
	hasnt "unknown"
}

@test "every mount option named is one that the runtime takes" {
	only_ours
	# All of them at once would contradict each other: one container's plan for each.
	jq -r '.mountOptions[]' "$F" | grep -vE '^r?idmap$' | while read -r o; do
		cfg --arg o "$o" '.mounts |= map(select(.destination != "/mnt")) | .mounts += [{destination: "/mnt", type: "tmpfs", source: "t", options: [$o]}]'
		"$RINGFENCE" --root "$T/state" explain -b "$b" "$id" >"$T/o" 2>&1 || ! grep -i 'unknown' "$T/o"
	done
}

@test "seccomp: actions, operators, flags, architectures" {
	jq -e '.linux.seccomp.enabled' "$F"
	jq -e '.linux.seccomp.actions | contains(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG", "SCMP_ACT_TRAP"])' "$F"
	jq -e '.linux.seccomp.operators | contains(["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"])' "$F"
	jq -e '.linux.seccomp.archs | index("SCMP_ARCH_X86_64")' "$F"
}

@test "cgroup versions" {
	jq -e '.linux.cgroup | .v1 and .v2' "$F"
}

@test "systemd is claimed only when it works" {
	only_ours
	jq -e '.linux.cgroup.systemd == false' "$F" || skip "claimed: the systemd tests show it"
	args true
	run "$RINGFENCE" --root "$T/state" --systemd-cgroup run -b "$b" "$id" </dev/null
	[ "$status" -ne 0 ]
	has systemd
	nothing_left
}
