#!/usr/bin/env bats
# lint: findings with positions and rule ids, and the exit code that scripts go by.
load helpers

@test "the default configuration has no warning" {
	run -0 rf lint -b "$b"
	[[ ${lines[-1]} == "0 errors, 0 warnings, "* ]]
	run -0 rf lint "$b"
	run -0 rf lint --strict "$config"
}

@test "a misspelt property is named with its place" {
	jq '.linux.rootPropagation = "private"' "$config" >"$T/c"
	mv "$T/c" "$config"
	run -1 rf lint "$config"
	[[ $output == *"config.json:"*": warning: /linux/rootPropagation: "*"[unknown-key]"* ]]
	run -2 rf lint --strict "$config"
	# A create ignores it, as the specification says.
	args true
	run -0 rf run -b "$b" "$id"
}

@test "what a create would refuse is an error" {
	jq '.linux.namespaces[0].type = "none"' "$config" >"$b/bad.json"
	run -2 rf lint "$b/bad.json"
	[[ $output == *"error: bad.json:"*": /linux/namespaces/0/type: "*"[invalid]"* ]]
	jq '.root.path = "/none/such"' "$config" >"$b/bad.json"
	run -2 rf lint "$b/bad.json"
	[ "$(ls "$T/state" 2>/dev/null)" = "" ]
}

@test "holes are warnings, in JSON too" {
	jq 'del(.linux.namespaces[] | select(.type == "pid")) | .process.capabilities.bounding += ["CAP_SYS_MODULE"]' \
		"$config" >"$T/c"
		mv "$T/c" "$config"
	run -1 rf lint --format json "$b"
	jq -e 'map(select(.severity == "warning").rule) | sort == ["host-pid", "strong-capability"]' <<<"$output"
	jq -e 'all(.[]; .line > 0 and .column > 0 and (.text | length) > 0)' <<<"$output"
}

@test "nothing to read is trouble, not a finding" {
	run -1 rf lint "$T/none"
	ours
	run -1 rf lint -b "$T"
	ours
}
