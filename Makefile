# One command builds, one runs, one tests. `make help` lists them. Everything needed is installed on the way.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)

export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)

.PHONY: help setup build demo test check bench soak format clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing (Debian packages; sudo only when not root)
	@scripts/setup.sh

build: setup ## build the program: build/release/phoenix
	@scripts/build.sh release phoenix phoenix-ws-echo check_arrows

demo: build ## a local exchange and a maker on it: until Ctrl-C on a terminal, otherwise for 60 s
	@if [ -t 0 ] && [ -t 1 ]; then exec build/release/phoenix demo; else exec build/release/phoenix demo --for 60s; fi

test: ## unit, property, golden and end-to-end tests of the release build
	@scripts/setup.sh test
	@scripts/build.sh release all
	@ctest --test-dir build/release --output-on-failure --parallel $(JOBS) --no-tests=error

check: ## sanitizers, fuzzers, second compiler, format, tidy, arrows (LEGS="format tidy" runs some; TIDY=all)
	@scripts/setup.sh
	@scripts/check.sh $(LEGS)

bench: setup ## run the benchmarks and print the medians and the ratio to the plain way (ONLY=regex)
	@scripts/bench.sh "$(ONLY)"

soak: ## long runs: 1,000 seeds of ten simulated minutes (RUNS=, HOURS=), every fuzz target for 5 minutes, clang-tidy on every file
	@scripts/setup.sh
	@scripts/build.sh release phoenix
	@build/release/phoenix simulate --seed $${SEED:-1} --hours $${HOURS:-0.1667} --runs $${RUNS:-1000} --jobs $(JOBS)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-300} TIDY=all scripts/check.sh fuzz tidy

format: ## lay the sources out as clang-format wants them
	@scripts/setup.sh
	@scripts/sources.sh | xargs -r clang-format-19 -i

clean: ## remove everything that was built
	@rm -rf build
