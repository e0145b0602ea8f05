.PHONY: run
run: ## install what is needed, build, and run a container that shows its walls
	@scripts/deps.sh build run
	@$(MAKE) --no-print-directory ringfence
	@scripts/demo.sh
