#!/usr/bin/env bats
# spec: writes a configuration that runs as it is.
load helpers

@test "spec writes config.json where it stands, or where --bundle says" {
	mkdir "$T/x"
	cd "$T/x"
	"$RINGFENCE" spec
	jq -e '.ociVersion | startswith("1.")' config.json
	rm config.json
	cd /
	"$RINGFENCE" spec --bundle "$T/x"
	[ -f "$T/x/config.json" ]
}

@test "spec doesn't write over a configuration" {
	echo '{"mine": 1}' >"$config"
	run "$RINGFENCE" spec -b "$b"
	[ "$status" -ne 0 ]
	has config.json
	[ "$(jq .mine "$config")" = 1 ]
}

@test "spec --rootless has a user namespace, the caller's ids and no resources" {
	mkdir "$T/x"
	"$RINGFENCE" spec -b "$T/x" --rootless
	jq -e '[.linux.namespaces[].type] | index("user")' "$T/x/config.json"
	jq -e --argjson u "$(id -u)" '.linux.uidMappings[0] | .hostID == $u and .containerID == 0 and .size == 1' "$T/x/config.json"
	jq -e '.linux.resources == null' "$T/x/config.json"
}

@test "what spec writes runs unchanged but for the terminal" {
	rm "$config"
	(cd "$b" && "$RINGFENCE" spec)
	sed -i 's/"terminal": true/"terminal": false/' "$config"
	run rf run -b "$b" "$id" <<<'echo from-the-shell'
	is from-the-shell
}

@test "the default gives little: 3 capabilities, masks, no new privileges, a read-only root" {
	mkdir "$T/x"
	"$RINGFENCE" spec -b "$T/x"
	jq -e '.root.readonly and .process.noNewPrivileges
		and (.process.capabilities.bounding | length) == 3
		and (.linux.maskedPaths | length) >= 9 and (.linux.readonlyPaths | length) >= 5' "$T/x/config.json"
}

@test "spec into a missing or unwritable folder is an error" {
	run "$RINGFENCE" spec -b "$T/none"
	[ "$status" -ne 0 ]
	mkdir "$T/x"
	chmod 555 "$T/x"
	: >"$T/file"
	run "$RINGFENCE" spec -b "$T/file"
	[ "$status" -ne 0 ]
}
