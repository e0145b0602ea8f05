#!/bin/bash
# Makes the emulated host VM: a Debian 12 with systemd and pure cgroup v2, from Debian's packages.
#
#   tests/host-vm/build.sh        prints the folder that holds vmlinuz, initrd.gz and root.ext4
#
# The result is cached by the content of this file and packages.txt. Nothing is
# mounted and no loop device is used: mke2fs -d writes the disk from a folder.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${RINGFENCE_CACHE:-/var/cache/ringfence}
key=$(cat "$here/build.sh" "$here/packages.txt" "$here/payload.service" | sha256sum | cut -c1-16)
out=$cache/host-vm-$key
say() { printf '  VM      %s\n' "$*" >&2; }

if [ -f "$out/ready" ]; then
	echo "$out"
	exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^http/) { print $i; exit } }' \
	/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)

say "Debian root from $(grep -c . "$here/packages.txt") packages (about two minutes)"
mmdebstrap --mode=root --variant=minbase \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--include="$(paste -sd, "$here/packages.txt")" \
	bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$work/mmdebstrap.log" 2>&1 || {
	grep -v "^Get:\|^Selecting\|^Preparing\|^Unpacking\|^Setting up" "$work/mmdebstrap.log" >&2
	exit 1
}

say "units and modules"
cp "$here/payload.service" "$root/etc/systemd/system/payload.service"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../payload.service "$root/etc/systemd/system/multi-user.target.wants/payload.service"
for unit in getty.target serial-getty@ttyS0.service systemd-timesyncd.service networking.service \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
	systemd-tmpfiles-clean.timer podman-auto-update.timer \
	systemd-networkd.service systemd-resolved.service containerd.service docker.service docker.socket; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
echo hostvm >"$root/etc/hostname"
printf '127.0.0.1 localhost hostvm\n' >"$root/etc/hosts"
printf 'overlay\nvirtio_net\nbridge\nveth\nkvm-amd\n' >"$root/etc/modules-load.d/ringfence.conf"
cp "$(ls "$root"/boot/vmlinuz-* | tail -1)" "$work/vmlinuz"
version=$(basename "$(ls -d "$root"/lib/modules/* | tail -1)")

say "initramfs for $version"
ird=$work/initrd
mkdir -p "$ird"/{bin,dev,proc,sys,mnt,lib/modules}
cp "$root/bin/busybox" "$ird/bin/busybox"
list=$(for m in virtio_pci virtio_blk ext4; do
	chroot "$root" modprobe --set-version "$version" --show-depends "$m" || true
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
n=0
for ko in $list; do
	n=$((n + 1))
	cp "$root$ko" "$ird/lib/modules/$(printf %02d $n)-$(basename "$ko")"
done
cat >"$ird/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for m in /lib/modules/*.ko*; do /bin/busybox insmod "$m"; done
i=0
while [ ! -b /dev/vda ] && [ $i -lt 100 ]; do /bin/busybox usleep 50000; i=$((i + 1)); done
/bin/busybox mount -t ext4 /dev/vda /mnt || { echo "no root disk"; /bin/busybox poweroff -f; }
/bin/busybox mount --move /dev /mnt/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /mnt /lib/systemd/systemd
INIT
chmod 755 "$ird/init"
(cd "$ird" && find . | "$root/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"

say "disk"
rm -rf "${root:?}"/boot/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
truncate -s 3G "$work/root.ext4"
PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$work/root.ext4"
rm -rf "$root" "$ird"
mkdir -p "$out"
mv "$work/vmlinuz" "$work/initrd.gz" "$work/root.ext4" "$out/"
touch "$out/ready"
echo "$out"
