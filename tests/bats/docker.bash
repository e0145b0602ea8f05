# What docker.bats and microvm-docker.bats share: Docker in a world of its own, with this runtime as its
# default.

engine_missing() { missing_of dockerd /usr/bin/docker containerd docker-init catatonit iptables; }
engine_rm() { docker rm -f "$@"; }

# Debian's client, as old as the daemon: others may be on the path.
docker() { within /usr/bin/docker "$@"; }

apparmor=/sys/module/apparmor/parameters/enabled

# docker_up: the world, and the daemon in it with an image bb:1.
docker_up() {
	world_up
	# BuildKit takes the program called runc from the daemon's path, whatever the default runtime is.
	mkdir "$W/bin"
	ln -s "$RINGFENCE" "$W/bin/runc"
	cat >"$W/daemon.json" <<-J
		{ "data-root": "$W/data", "exec-root": "/run/docker", "pidfile": "/run/docker.pid",
		  "hosts": ["unix:///run/docker.sock"], "storage-driver": "overlay2",
		  "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": "/$cg_parent",
		  "default-runtime": "rut", "runtimes": { "rut": { "path": "$RINGFENCE" } },
		  "bip": "10.201.0.1/24", "default-address-pools": [{ "base": "10.202.0.0/16", "size": 24 }],
		  "default-ulimits": { "nofile": { "Name": "nofile", "Soft": 4096, "Hard": 4096 } } }
	J
	# A kernel with AppArmor makes the daemon ask for its parser, whether that is there or not.
	if [ -e "$apparmor" ] && ! command -v apparmor_parser >/dev/null; then
		echo N >"$W/no-apparmor"
		within mount --bind "$W/no-apparmor" "$apparmor"
	fi
	within env PATH="$W/bin:$PATH" setsid dockerd --config-file "$W/daemon.json" >"$W/dockerd.log" 2>&1 &
	answers "$W/dockerd.log" docker version
	image_tar
	docker import -c 'ENV PATH=/bin' -c 'CMD ["/bin/sh"]' "$W/image.tar" bb:1
}

docker_down() {
	[ -n "${W:-}" ] || return 0
	docker ps -aq | xargs -r nsenter -t "$world" -m -n -p -- /usr/bin/docker rm -f >/dev/null 2>&1 || true
	world_down
}

# A word of `docker inspect`: of a container that this test made.
what() { docker inspect -f "{{$1}}" "${2:-$id}"; }
up() { docker run -d --name "$id" "$@" >/dev/null; }
