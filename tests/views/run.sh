#!/bin/bash
# Runs a command in one view of this host's cgroup hierarchies.
#
#   tests/views/run.sh VIEW COMMAND [ARG…]      VIEW: hybrid, v1 or v2
#
# hybrid   the host as it is
# v1       without the v2 tree beside the v1 ones
# v2       one cgroup2 tree; it has only the controllers that v1 doesn't hold
#
# v1 and v2 live in a private mount namespace: the host's mounts are never touched.
set -euo pipefail

view=$1
shift
export RF_VIEW=$view
case $view in
hybrid)
	exec "$@"
	;;
v1)
	exec unshare -m --propagation private bash -c '
		! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified || exit 1
		exec "$@"' view "$@"
	;;
v2)
	exec unshare -m --propagation private bash -c '
		umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 1
		exec "$@"' view "$@"
	;;
*)
	echo "views: no view is called $view" >&2
	exit 2
	;;
esac
