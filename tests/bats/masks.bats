#!/usr/bin/env bats
# masked and read-only paths, sysctl.
load helpers

@test "a masked file is empty, a masked directory too" {
	cfg '.linux.maskedPaths = ["/proc/version", "/etc", "/none"]'
	sh_args 'wc -c </proc/version; ls -A /etc | wc -l'
	go
	is $'0\n0'
}

@test "a masked directory can't be filled" {
	cfg '.linux.maskedPaths = ["/tmp"] | .root.readonly = false'
	sh_args 'touch /tmp/x'
	go
	[ "$status" -ne 0 ]
	[ ! -e "$b/rootfs/tmp/x" ]
}

@test "a read-only path is" {
	cfg '.linux.readonlyPaths = ["/proc/sys", "/tmp", "/none"] | .root.readonly = false'
	sh_args 'touch /tmp/x; touch /etc/y && echo etc; echo x >/proc/sys/kernel/domainname'
	go
	[ "$status" -ne 0 ]
	has etc
	[ ! -e "$b/rootfs/tmp/x" ]
}

@test "the default specification masks and protects /proc" {
	sh_args 'for f in kcore keys timer_list; do [ ! -e /proc/$f ] || wc -c </proc/$f; done | sort -u
		for f in sys/kernel/domainname sysrq-trigger irq/default_smp_affinity; do (echo h >/proc/$f) 2>/dev/null && echo written $f; done; true'
	go
	is 0
}

@test "sysctls of the container's namespaces" {
	cfg '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096", "kernel.domainname": "dom"}'
	sh_args 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/kernel/domainname'
	go
	is $'1\n4096\ndom'
}

@test "a sysctl of the host is refused" {
	for s in kernel.panic vm.swappiness kernel.core_pattern fs.file-max; do
		cfg --arg s "$s" '.linux.sysctl = {($s): "1"}'
		go
		refused "$s"
	done
}

@test "a net sysctl without a network namespace is refused" {
	cfg '.linux.namespaces |= map(select(.type != "network")) | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	go
	refused
}
