#!/bin/bash
# Runs a command in one view of this host's cgroup hierarchies.
#
#   tests/views/run.sh VIEW COMMAND [ARG…]      VIEW: hybrid, v1 or v2
#
# hybrid   the host's own layout
# v1       without the v2 tree beside the v1 ones
# v2       one cgroup2 tree; it has only the controllers that v1 doesn't hold
#
# Every view is a mount namespace of its own: what others mount meanwhile isn't seen, and the host's
# mounts are never touched. Its mounts are shared among themselves, as systemd leaves them on most
# hosts: a runtime that lets one slip out is caught by the snapshot of helpers.bash.
set -euo pipefail

view=$1
shift
export RF_VIEW=$view
case $view in
hybrid)
	prepare=:
	;;
v1)
	prepare='! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified'
	;;
v2)
	prepare='umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup'
	;;
*)
	echo "views: no view is called $view" >&2
	exit 2
	;;
esac
abandoned=$(dirname "$0")/abandoned.sh
exec unshare -m --propagation private bash -c "$abandoned && { $prepare; } && mount --make-rshared / || exit 1
	exec \"\$@\"" view "$@"
