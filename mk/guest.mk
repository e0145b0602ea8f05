# What runs inside a micro-VM.
.PHONY: guest-kernel
guest-kernel: ## build the micro-VM's kernel: build/guest/vmlinux (minutes, once)
	@scripts/deps.sh kernel
	@scripts/guest-kernel.sh $(O)/guest/vmlinux
