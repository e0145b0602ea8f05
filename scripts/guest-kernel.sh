#!/bin/bash
# Builds the micro-VM's kernel from Debian's linux-source-6.1 and guest/kernel.config.
#
#   scripts/guest-kernel.sh [--cached] [FILE]     puts vmlinux at FILE (build/guest/vmlinux), config beside it
#
#   --cached   builds nothing: ends with 3 when it wasn't built before
#
# Takes some minutes, once: cached by the content of this file, of the configuration, and by the source's
# version. Needs the packages of `scripts/deps.sh kernel`, and no network.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cached=
[ "${1:-}" != --cached ] || { cached=1; shift; }
file=$(realpath -m "${1:-$top/build/guest/vmlinux}")
package=linux-source-6.1
config=$top/guest/kernel.config
cache=${RINGFENCE_CACHE:-/var/cache/ringfence}

[ "$(uname -m)" = x86_64 ] || {
	echo "guest-kernel: micro-VMs need an x86_64 machine, this is $(uname -m)" >&2
	exit 1
}
version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) || {
	[ -z "$cached" ] || exit 3
	echo "guest-kernel: $package isn't installed (scripts/deps.sh kernel)" >&2
	exit 1
}
key=$({ cat "$top/scripts/guest-kernel.sh" "$config"; echo "$version"; } | sha256sum | cut -c1-16)
out=$cache/guest-kernel-$key

place() {
	mkdir -p "$(dirname "$file")"
	cp --reflink=auto "$out/config" "$(dirname "$file")/kernel.config"
	# Somebody may have the old one mapped: a new file, then its name.
	cp --reflink=auto "$out/vmlinux" "$file.new"
	mv "$file.new" "$file"
	echo "$file"
	exit 0
}
[ ! -f "$out/ready" ] || place
[ -z "$cached" ] || exit 3

mkdir -p "$cache"
# Two that ask at once: the second finds the first one's work.
exec 9>"$cache/guest-kernel.lock"
flock 9
[ ! -f "$out/ready" ] || place
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "  KERNEL  $version of $package (some minutes)" >&2
tar -C "$work" -xf "/usr/src/$package.tar.xz" 9>&-
tree=$work/$package
build=$work/build
mkdir "$build"

# The same source gives the same bytes, whoever builds it.
KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date -u -r "/usr/src/$package.tar.xz")
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER=ringfence KBUILD_BUILD_HOST=ringfence
export KBUILD_BUILD_VERSION=1
# A caller's make passes its variables on (O, V): they mean other things there.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES O V

quiet() {
	"$@" >"$work/log" 2>&1 9>&- || {
		tail -n 40 "$work/log" >&2
		echo "guest-kernel: failed: $*" >&2
		exit 1
	}
}
# From nothing: what the configuration doesn't name stays off.
cd "$tree"
quiet scripts/kconfig/merge_config.sh -n -O "$build" "$config"
quiet make -C "$tree" O="$build" olddefconfig

# An option whose conditions aren't met disappears silently: this is where it is heard of.
missing=
while IFS= read -r line; do
	name=${line%%=*}
	case $line in
	*=n) ! grep -q "^$name=" "$build/.config" || missing+="  $name is set, should not be"$'\n' ;;
	*)
		grep -qxF "$line" "$build/.config" ||
			missing+="  $line: $(grep -w "$name" "$build/.config" || echo unknown)"$'\n'
		;;
	esac
done < <(grep '^CONFIG_' "$config")
[ -z "$missing" ] || {
	printf 'guest-kernel: these lines of %s had no effect:\n%s' "$config" "$missing" >&2
	exit 1
}

quiet nice make -C "$tree" O="$build" -j"$(nproc)" vmlinux
strip -s -o "$work/vmlinux" "$build/vmlinux"
cp "$build/.config" "$work/config"
rm -rf "$tree" "$build" "$work/log"
touch "$work/ready"
chmod 755 "$work"
chmod 644 "$work/vmlinux"
mv "$work" "$out"
trap - EXIT
place
