#!/usr/bin/env bats
# buildah with the runtime for RUN (--isolation oci, rootless), and bundles that umoci unpacked.
load engines

setup_file() { engine_up buildah; }
teardown_file() { engine_down; }
extra_setup() {
	engine_ready buildah
	work=
}
extra_teardown() {
	[ -z "${work:-}" ] || bud rm "$work" >/dev/null 2>&1
	bud rmi -f "localhost/${id,,}" >/dev/null 2>&1 || true
	engine_clear
}

# from IMAGE: a working container. in_it [OPTION…] -- COMMAND…: a command in it.
from() { work=$(bud from "$1"); }
in_it() { run bud run --isolation oci --runtime "$RINGFENCE" "$@"; }

@test "from an image: run, its output, its exit code" {
	from $img
	in_it "$work" -- echo hello
	is hello
	in_it "$work" -- sh -c 'exit 6'
	exit_is 6
	in_it "$work" -- no-such-program
	[ "$status" -ne 0 ]
}

@test "from scratch: a root file system is added, run, committed, and runs under podman" {
	from scratch
	bud add "$work" "$P/image.tar" / >/dev/null
	in_it "$work" -- sh -c 'echo made >/made'
	ok
	bud config --cmd '["/bin/cat", "/made"]' --env PATH=/bin "$work"
	bud commit -q "$work" "localhost/${id,,}" >/dev/null
	once "localhost/${id,,}"
	is made
}

@test "environment, user, directory, host name, network" {
	from $img
	bud config --env A=b --workingdir /tmp --user guest "$work"
	in_it --hostname built "$work" -- sh -c 'echo $A $PWD $(id -u) $(hostname)'
	is "b /tmp 1000 built"
	in_it --user 0:0 --env C=d "$work" -- sh -c 'echo $(id -u) $C'
	is "0 d"
	in_it --network none "$work" -- sh -c 'ip -o link | wc -l'
	is 1
	in_it --network host "$work" -- readlink /proc/self/ns/net
	is "$("$P/in" readlink /proc/self/ns/net)"
}

@test "volumes and mounts" {
	from $img
	mkdir "$T/v"
	echo given >"$T/v/f"
	in_it -v "$T/v:/mnt" "$work" -- sh -c 'cat /mnt/f; echo back >/mnt/g'
	is given
	[ "$(cat "$T/v/g")" = back ]
	in_it -v "$T/v:/mnt:ro" "$work" -- touch /mnt/h
	[ "$status" -ne 0 ]
	in_it --mount type=tmpfs,destination=/t "$work" -- grep -c ' /t tmpfs' /proc/mounts
	is 1
}

@test "capabilities, a terminal, standard input" {
	from $img
	in_it --cap-drop all "$work" -- grep CapEff /proc/self/status
	has 0000000000000000
	in_it --cap-add CAP_NET_ADMIN "$work" -- grep CapEff /proc/self/status
	[ $((0x$(awk '/^CapEff/ { print $2 }' <<<"$output") & 0x1000)) -ne 0 ]
	on_tty "$P/in" buildah run --isolation oci --runtime "$RINGFENCE" -t "$work" -- sh -c 'test -t 0 && tty'
	has /dev/pts
	[ "$(echo through | bud run --isolation oci --runtime "$RINGFENCE" "$work" -- cat)" = through ]
}

@test "a Dockerfile of several stages, users, mounts and secrets" {
	echo hush >"$T/secret"
	cat >"$T/Dockerfile" <<-D
		FROM $img AS first
		RUN echo one >/one
		FROM $img
		COPY --from=first /one /one
		RUN --mount=type=secret,id=s cat /run/secrets/s >/two
		RUN --mount=type=tmpfs,target=/t touch /t/f
		USER 1000
		RUN id -u >/tmp/three
		RUN ["/bin/sh", "-c", "echo four >/tmp/four"]
	D
	bud build --isolation oci --runtime "$RINGFENCE" --secret "id=s,src=$T/secret" --network none -q -t "localhost/${id,,}" "$T" >"$T/out" 2>&1 || { cat "$T/out"; false; }
	once "localhost/${id,,}" cat /one /two /tmp/three /tmp/four
	is $'one\nhush\n1000\nfour'
}

@test "a failing RUN fails the build, and leaves nothing" {
	printf 'FROM %s\nRUN exit 9\n' $img >"$T/Dockerfile"
	run bud build --isolation oci --runtime "$RINGFENCE" --network none -q "$T"
	[ "$status" -ne 0 ]
	has "exit status 9"
	run "$RINGFENCE" list -q
	hasnt buildah
}

@test "--isolation rootless: the runtime without rights of its own" {
	need newuidmap
	chmod 755 "$T"
	printf 'FROM scratch\nADD image.tar /\nENV PATH=/bin\nRUN id -u >/who\nRUN cat /who\n' >"$T/Dockerfile"
	cp "$P/image.tar" "$T/"
	chmod 644 "$T/image.tar"
	run "$P/user" buildah build --isolation rootless --runtime "$RINGFENCE" --network host -t "localhost/${id,,}" "$T" 3>&-
	ok
	"$P/user" buildah rmi -f "localhost/${id,,}" >/dev/null 2>&1 3>&-
}

bundle_args() { jq '.process.terminal = false | del(.process.rlimits) | .process.args = $ARGS.positional' "$T/bundle/config.json" --args -- "$@" >"$T/c" && mv "$T/c" "$T/bundle/config.json"; }

@test "umoci: an OCI image unpacked runs; changed and packed again, it keeps the change" {
	need umoci
	umoci init --layout "$T/oci"
	umoci new --image "$T/oci:one"
	umoci insert --image "$T/oci:one" "$P/image" /
	umoci config --image "$T/oci:one" --config.cmd /bin/cat --config.env PATH=/bin --config.user 1000
	umoci unpack --image "$T/oci:one" "$T/bundle"
	bundle_args /bin/cat /etc/passwd
	run rf run -b "$T/bundle" "$id" </dev/null
	ok
	has "guest:x:1000"
	bundle_args /bin/touch /tmp/new
	run rf run -b "$T/bundle" "$id" </dev/null
	ok
	umoci repack --image "$T/oci:two" "$T/bundle"
	umoci unpack --image "$T/oci:two" "$T/again"
	[ "$(stat -c %u "$T/again/rootfs/tmp/new")" = 1000 ]
}

@test "skopeo: podman's image as a layout, unpacked and run" {
	need skopeo
	need umoci
	pod save -q --format oci-archive -o "$T/a.tar" $img >/dev/null 2>&1
	skopeo --insecure-policy copy -q "oci-archive:$T/a.tar" "oci:$T/oci:one"
	umoci unpack --image "$T/oci:one" "$T/bundle"
	bundle_args /bin/sh -c 'echo from a layout'
	run rf run -b "$T/bundle" "$id" </dev/null
	is "from a layout"
}
