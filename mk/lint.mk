.PHONY: lint
lint: ringfence ## layers, format, shellcheck, cppcheck, clang-tidy, sizes, ELF flags
	@scripts/deps.sh build lint
	@PARTS=lint tests/run.sh
