#!/bin/bash
# Installs the Debian packages that a part of the work needs, only what is missing.
#
#   scripts/deps.sh PART…      PART: build, run, test, lint, fuzz, deb, kernel or bench
#
# When nothing is missing it asks dpkg alone: no network, no privilege.
set -euo pipefail

declare -A packages=(
	[build]="gcc make libc6-dev libseccomp-dev libcap-dev libnl-3-dev libnl-route-3-dev libyajl-dev
		libcgroup-dev pkg-config"
	[run]="busybox-static"
	[test]="bats libcmocka-dev jq strace socat iproute2 procps util-linux busybox-static podman conmon iptables catatonit
		netavark aardvark-dns slirp4netns umoci skopeo buildah crun runc uidmap mmdebstrap qemu-system-x86 e2fsprogs acpica-tools
		docker.io containerd containernetworking-plugins python3-grpcio
		debhelper dpkg-dev lintian man-db mandoc bash-completion zsh fish"
	[lint]="clang-format clang-tidy cppcheck shellcheck pmccabe binutils"
	[fuzz]="clang llvm libclang-rt-dev libcmocka-dev jq"
	[deb]="debhelper dpkg-dev"
	[kernel]="linux-source-6.1 gcc make libc6-dev libelf-dev flex bison bc cpio kmod python3-minimal xz-utils"
	[bench]="crun runc jq strace time"
)

missing=()
for part in "$@"; do
	[ -n "${packages[$part]:-}" ] || {
		echo "deps: no part is called $part (there are: ${!packages[*]})" >&2
		exit 2
	}
	for p in ${packages[$part]}; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
done
[ "${#missing[@]}" -gt 0 ] || exit 0

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
echo "  DEPS    ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# An engine's daemon that its package starts would change the firewall: tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$log"; "${sudo[@]}" rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
	"${sudo[@]}" chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt=("${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=600)
"${apt[@]}" update >"$log" 2>&1 &&
	"${apt[@]}" -y --no-install-recommends install "${missing[@]}" >>"$log" 2>&1 || {
	tail -n 30 "$log" >&2
	echo "deps: could not install: ${missing[*]}" >&2
	exit 1
}
