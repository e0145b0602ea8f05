#!/bin/bash
# Puts a CRIU that this kernel can run under DIR, and a wrapper DIR/bin/criu that starts it.
#
#   scripts/criu.sh [DIR]          default build/criu; prints the wrapper's path
#
# Debian 12's CRIU (3.17) can't parse the vDSO of newer kernels. The next release's can, but wants
# its own C library: package and libraries are unpacked beneath DIR and started by the loader that
# came with them, so nothing of this system is replaced. It asks the network only for what isn't in
# DIR yet, about 18 MB with the package lists; three seconds.
set -euo pipefail

suite=trixie
dir=$(realpath -m "${1:-$(dirname "$0")/../build/criu}")
wrapper=$dir/bin/criu
[ ! -x "$wrapper" ] || {
	echo "$wrapper"
	exit 0
}

mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
log=$dir/apt/log
key=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
echo "deb [signed-by=$key] $mirror $suite main" >"$dir/apt/sources"
: >"$dir/apt/status"
apt=(apt-get -q -y -o Debug::NoLocking=true -o Dir::State="$dir/apt" -o Dir::State::status="$dir/apt/status"
	-o Dir::Cache="$dir/apt/cache" -o Dir::Etc::SourceList="$dir/apt/sources"
	-o Dir::Etc::SourceParts=/nonexistent -o Acquire::Check-Valid-Until=false
	-o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Install-Recommends=false
	-o APT::Sandbox::User=root)
"${apt[@]}" update >"$log" 2>&1 && "${apt[@]}" --download-only install criu >>"$log" 2>&1 || {
	tail -n 5 "$log" >&2
	echo "criu: could not fetch $suite's criu from $mirror" >&2
	exit 1
}

rm -rf "$dir/root"
mkdir -p "$dir/root" "$dir/bin"
for deb in "$dir"/apt/cache/archives/*.deb; do
	dpkg-deb -x "$deb" "$dir/root"
done
rm -rf "$dir/apt/lists" "$dir/apt/cache"

loader=$(find "$dir/root/usr/lib" -name 'ld-linux-*.so.*' -path '*-linux-gnu*' -print -quit)
criu=$(find "$dir/root/usr/sbin" "$dir/root/usr/bin" -name criu -print -quit)
[ -n "$loader" ] && [ -n "$criu" ] || {
	echo "criu: no loader or no criu in what $suite's packages hold" >&2
	exit 1
}
cat >"$wrapper.new" <<EOF
#!/bin/sh
exec "$loader" --library-path "${loader%/*}" "$criu" "\$@"
EOF
chmod 755 "$wrapper.new"
mv "$wrapper.new" "$wrapper"
echo "$wrapper"
