#!/usr/bin/env bats
# spec: the default configuration.
load helpers

@test "spec writes a configuration that runs" {
	mkdir "$T/new"
	run rf spec -b "$T/new"
	ok
	jq -e '.ociVersion and .process.args == ["sh"] and .root.path == "rootfs"' "$T/new/config.json"
	args echo in
	go
	is in
}

@test "spec doesn't overwrite" {
	sum=$(sha256sum <"$config")
	run rf spec -b "$b"
	[ "$status" -ne 0 ]
	[ "$(sha256sum <"$config")" = "$sum" ]
}

@test "spec --rootless maps the caller" {
	mkdir "$T/new"
	rf spec --rootless -b "$T/new"
	jq -e '(.linux.namespaces | map(.type) | index("user")) and (.linux.namespaces | map(.type) | index("network") | not)
		and .linux.uidMappings[0].containerID == 0 and .linux.uidMappings[0].size == 1' "$T/new/config.json"
}

@test "spec to a missing directory is an error" {
	run rf spec -b "$T/none"
	[ "$status" -ne 0 ]
}

@test "the default has the walls" {
	jq -e '.process.noNewPrivileges and .root.readonly and (.linux.maskedPaths | length > 5)
		and (.linux.readonlyPaths | length > 3) and (.linux.resources.devices[0].allow == false)' "$config"
}
