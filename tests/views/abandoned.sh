#!/bin/bash
# Lets go of the v1 hierarchies that nobody has mounted and that have no group but their root.
#
# One that is unmounted a moment before the kernel has done away with its last group stays for good,
# and every process of the host has a line for it in /proc/PID/cgroup; containerd then finds no
# statistics, as it looks for the mount of each (cgroup.c's cgroup_kill_sb(); to mount it once more
# and unmount it is the way out). Call it in a mount namespace of its own.
set -euo pipefail

place=$(mktemp -d)
trap 'rmdir "$place"' EXIT
awk 'NR > 1 && $2 != 0 && $3 == 1 { print $1 }' /proc/cgroups | while read -r c; do
	! grep -qE " cgroup [^ ]*\b$c\b" /proc/self/mounts || continue
	# Mounted with others in one hierarchy, it isn't abandoned.
	! mount -t cgroup -o "$c" none "$place" 2>/dev/null || umount "$place"
done
