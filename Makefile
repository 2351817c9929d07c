# Every target installs what it needs first (scripts/setup.sh); nothing but make, git and root or sudo has to be there.
#   ARGS="…"          flags for the demo
#   CMAKE_FLAGS="…"   more flags for the configure step
#   FUZZ_SECONDS=60   time for all fuzz targets together
#   SEEDS=1000        how many runs of the simulator
#   KILLS=2000        how many processes are killed on each store
#   PREFIX=/usr/local where `make install` puts things

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SEEDS ?= 1000
KILLS ?= 2000
JOBS ?= $(shell nproc)
ARGS ?=
# In continuous integration a warning is an error.
CMAKE_FLAGS ?= $(if $(CI),-DISOTHERM_WERROR=ON)

# LLVM's tools by the name that the distribution gives them. The shell looks it up: make would, before set-up has run.
llvm_tool = $$(type -P $(1)-16 >/dev/null && echo $(1)-16 || echo $(1))
clang_flags = -DCMAKE_CXX_COMPILER=$(call llvm_tool,clang++)

# $(call configure,PRESET,FLAGS); of two that contradict each other the user's holds.
configure = cmake --preset $(1) $(2) $(CMAKE_FLAGS) >/dev/null
build_all = cmake --build build/$(1) -j $(JOBS)
# Tests of what several threads do at once.
threaded = 'Race|Concurrent|Thread|Group|Background|Memtable|RowsInRam|Turns|Cache|Lease|Compaction|Handle'
run_tests = ctest --test-dir build/$(1) --output-on-failure -j $(JOBS)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r target text; do \
	  printf '  make %-13s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: ## Build and run the tiered demo: cold from an object store to hot in RAM
	@scripts/setup.sh build
	@$(call configure,release)
	@cmake --build build/release -j $(JOBS) --target cloud_tiered
	@build/release/examples/cloud_tiered/cloud_tiered $(ARGS)

.PHONY: build
build: ## Build everything (preset release, in build/release)
	@scripts/setup.sh build test
	@$(call configure,release)
	@$(call build_all,release)

.PHONY: test
test: servers ## Build everything and run all tests
	@$(call configure,release,$$(scripts/arrow.sh))
	@$(call build_all,release)
	@$(call run_tests,release)

.PHONY: servers
servers: ## Build the servers that tests talk to and the checker of histories (cached per user)
	@scripts/setup.sh test
	@scripts/test_servers.sh

.PHONY: test-asan
test-asan: servers ## All tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(call configure,asan)
	@$(call build_all,asan)
	@$(call run_tests,asan)

.PHONY: test-tsan
test-tsan: servers ## All tests under ThreadSanitizer
	@$(call configure,tsan)
	@$(call build_all,tsan)
	@$(call run_tests,tsan)

# The build of the fuzz targets is one under AddressSanitizer and UndefinedBehaviorSanitizer already.
.PHONY: test-sanitizers
test-sanitizers: servers ## What CI runs under sanitizers: the simulator and the parsers, and what has threads
	@scripts/setup.sh lint
	@$(call configure,fuzz,$(clang_flags))
	@$(call build_all,fuzz) --target simulation_test segment_test cache_test
	@$(call run_tests,fuzz) -L '^(simulation|segment|cache)$$'
	@$(call configure,tsan)
	@$(call build_all,tsan) --target engine_test cache_test
	@$(call run_tests,tsan) -L '^(engine|cache)$$' -R $(threaded)

.PHONY: test-clang
test-clang: servers ## All tests built by clang
	@scripts/setup.sh test lint
	@$(call configure,clang,$(clang_flags))
	@$(call build_all,clang)
	@$(call run_tests,clang)

.PHONY: test-races
test-races: build servers ## Writers racing for 1,000 commits each, on every store; their histories, checked
	@ISOTHERM_FULL=1 build/release/tests/engine_test --gtest_filter='*Race*'
	@ISOTHERM_FULL=1 build/release/tests/writers/writers_test
	@ISOTHERM_FULL=1 build/release/tests/linearizability/linearizability_test

.PHONY: test-kills
test-kills: build servers ## kill -9 of processes under load, KILLS times on each store
	@ISOTHERM_KILLS=$(KILLS) build/release/tests/kills/kills_test

.PHONY: simulate
simulate: build ## Run the simulator's seeds 1 to SEEDS; what was interrupted goes on
	@build/release/tests/simulation/simulate --seeds 1..$(SEEDS) --jobs $(JOBS) --resume build/simulate.progress

.PHONY: test-neon
test-neon: ## The kernels cross-compiled for 64-bit ARM, tested under an emulator
	@scripts/setup.sh cross
	@scripts/test_neon.sh

.PHONY: fuzz
fuzz: ## Run the fuzz targets for FUZZ_SECONDS in all
	@scripts/setup.sh lint
	@$(call configure,fuzz,$(clang_flags))
	@$(call build_all,fuzz) --target fuzz_targets
	@scripts/fuzz.sh build/fuzz/tests/fuzz $(FUZZ_SECONDS)

.PHONY: bench
bench: build ## Run the micro-benchmarks
	@scripts/bench.sh build/release/bench

.PHONY: lint
lint: ## Check the format, then run clang-tidy over src, tools and examples
	@scripts/setup.sh lint
	@CLANG_FORMAT=$(call llvm_tool,clang-format) scripts/lint.sh format
	@$(call configure,clang,$(clang_flags))
	@CLANG_TIDY=$(call llvm_tool,clang-tidy) scripts/lint.sh tidy build/clang $(JOBS)

.PHONY: format
format: ## Lay out all C++ files by .clang-format
	@scripts/setup.sh lint
	@CLANG_FORMAT=$(call llvm_tool,clang-format) scripts/lint.sh fix

.PHONY: install
install: build ## Install library, headers and tool under PREFIX
	@cmake --install build/release --prefix $(PREFIX)

.PHONY: fresh-machine
fresh-machine: ## Run the demo and the tests from a fresh clone on a bare Debian (needs root)
	@scripts/test_fresh_machine.sh

.PHONY: clean
clean: ## Remove build/
	@rm -rf build
