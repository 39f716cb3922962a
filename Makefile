# peftbench: `make` builds build/peftbench, `make help` lists the other targets.
#
#   make CC=clang              another compiler
#   make REAL=double           the engine computes in double          -> build/double
#   make SANITIZE=thread       or address,undefined                   -> build/thread
#   make ARCH=-march=x86-64-v3 for a machine other than this one
#   make BUILD=DIR             another folder for everything built

CC       = gcc
BUILD    = $(subst $(comma),-,build$(REAL:%=/%)$(SANITIZE:%=/%))
ARCH     = -march=native $(if $(filter x86_64,$(shell uname -m)),-mprefer-vector-width=512)
# Rows of tables leave out what they do not need.
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-missing-field-initializers -Wno-psabi
OPTIMIZE = $(if $(SANITIZE),-O1 -fno-omit-frame-pointer,-O3)
# errno and traps are not used.  NaN and infinity are, so -ffast-math is not allowed.
MATH     = -fno-math-errno -fno-trapping-math -ffp-contract=fast
FLAGS    = -std=c11 -D_GNU_SOURCE $(OPTIMIZE) -g $(ARCH) $(MATH) -pthread \
           $(if $(filter double,$(REAL)),-DPB_REAL_DOUBLE) \
           $(SANITIZE:%=-fsanitize=% -fno-sanitize-recover=all) $(CFLAGS)
# libzstd is used where it is installed (src/table/compressed.c).
ZSTD    := $(shell echo '\#include <zstd.h>' | $(CC) -E - >/dev/null 2>&1 && echo -lzstd)
LIBS     = -lopenblas -lsqlite3 -linih -ljansson -lutf8proc -lpcre2-8 -lcurl -lmd -lz -llzma $(ZSTD) -ldl -lm
PREFIX   = /usr/local
MAKEFLAGS += -j$(shell nproc) --no-print-directory
comma    := ,

PLUGINS = $(sort $(wildcard methods/*.c)) $(sort $(wildcard tasks/*.c))
SOURCES = $(sort $(wildcard src/*/*.c)) $(PLUGINS)
CODE    = $(SOURCES) $(wildcard src/*.h src/*/*.h tests/*.h tests/*/*.[ch] bench/*.[ch])
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/registry.o
ENGINE  = $(filter-out $(BUILD)/src/cli/main.o,$(OBJECTS))
TESTS   = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/test_*.c tests/*/test_*.c)))
SCRIPTS = $(filter-out tests/run.sh tests/parity/%.sh tests/torture/planted.sh tests/torture/mutants.sh,\
            $(sort $(wildcard tests/*.sh tests/*/*.sh)))
BENCHES = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard bench/bench_*.c)))
# Finite differences are accurate in double only, so these tests run in both precisions.
DOUBLE  = $(patsubst %.c,build/double/%,$(wildcard tests/numeric/test_lapack.c tests/graph/test_op.c tests/graph/test_losses.c tests/verify/test_method.c tests/model/test_model.c tests/train/test_peft.c tests/train/test_adalora.c tests/train/test_sparse.c tests/train/test_optim.c tests/train/test_micro_batches.c tests/model/test_limits_*.c))

all: $(BUILD)/peftbench ## builds the program

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9\/]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# ---- build ---------------------------------------------------------------------------------

# `make V=1` shows the commands.
COMPILE = $(if $(V),,@echo "  compile $<";) mkdir -p $(@D) && \
          $(CC) $(FLAGS) $(WARNINGS) -MMD -MP -I src -I . -I tests -I $(BUILD) -c -o $@ $<
LINK    = $(if $(V),,@echo "  link    $@";) $(CC) $(FLAGS) -rdynamic -o $@ $^ $(LIBS)

$(BUILD)/peftbench: $(OBJECTS)
	$(LINK)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(ENGINE)
	$(LINK)
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(ENGINE)
	$(LINK)
$(BUILD)/registry.o: $(BUILD)/registry.c $(BUILD)/flags
	$(COMPILE)
$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/version.h
	$(COMPILE)

# These three are generated in every run but written only if they change, so that files that depend on them are built
# again only then.
$(BUILD)/flags: always
	$(call rewrite,echo '$(CC) $(FLAGS)')
$(BUILD)/registry.c: always
	$(call rewrite,tools/registry.sh $(PLUGINS))
$(BUILD)/version.h: always
	$(call rewrite,tools/version.sh '$(CC)' '$(strip $(FLAGS))')
rewrite = @mkdir -p $(@D); $(1) > $@.new && if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
always:

-include $(OBJECTS:.o=.d) $(TESTS:=.d) $(BENCHES:=.d)

# ---- use -----------------------------------------------------------------------------------

setup: ## installs the Debian packages that are missing
	@tools/setup.sh

models/minilm: ## obtains the pretrained model of the experiments
	@tools/setup.sh minilm
	@tools/get-minilm.sh

models/smollm2: ## obtains a small language model in 4 bits
	@tools/setup.sh minilm
	@tools/get-smollm2.sh

demo: ## sets up, builds, runs experiments/sentiment.ini: a table and figures
	@tools/setup.sh
	@$(MAKE) all
	$(BUILD)/peftbench run experiments/sentiment.ini

# Headers of plugins are those that peftbench.h includes; `gcc -I$(PREFIX)/include/peftbench` finds them.  The program
# looks in $(PREFIX)/share/peftbench for what is not in the current folder (src/base/installed.c).
ROOT  = $(DESTDIR)$(PREFIX)
SHARE = $(ROOT)/share/peftbench
MAN   = $(ROOT)/share/man/man1/peftbench.1
BASH  = $(ROOT)/share/bash-completion/completions/peftbench
ZSH   = $(ROOT)/share/zsh/site-functions/_peftbench
SHIPPED = $(wildcard experiments/*.ini experiments/claims tasks/*.ini tasks/*.txt tasks/*.jinja data models/pico-* models/shapes)
install: all ## the program with its experiments, tasks, data, models, manual page, completions and headers of plugins
	install -D -m 755 $(BUILD)/peftbench $(ROOT)/bin/peftbench
	@for header in $$($(CC) -MM -I src src/peftbench.h | grep -o 'src/[^ ]*\.h' | sort -u); do \
	install -D -m 644 $$header $(ROOT)/include/peftbench/$${header#src/} || exit 1; done
	@for file in $$(find $(SHIPPED) -type f); do install -D -m 644 $$file $(SHARE)/$$file || exit 1; done
	@mkdir -p $(dir $(MAN) $(BASH) $(ZSH))
	@$(BUILD)/peftbench manual >$(MAN)
	@$(BUILD)/peftbench completion bash >$(BASH)
	@$(BUILD)/peftbench completion zsh >$(ZSH)

uninstall: ## removes what `make install` has installed
	rm -rf $(ROOT)/bin/peftbench $(ROOT)/include/peftbench $(SHARE) $(MAN) $(BASH) $(ZSH)

# The package runs on every processor of the architecture, so the engine's loops use the vectors that all of them have.
deb: ## a Debian package of the program, in build/deb
	@tools/setup.sh
	@$(MAKE) BUILD=build/deb/objects ARCH= all
	+@tools/deb.sh build/deb

clean: ## removes the build folder
	rm -rf $(BUILD)

# ---- test ----------------------------------------------------------------------------------

test: ## sets up, builds and runs all tests
	@tools/setup.sh
	@$(MAKE) programs
	@$(if $(DOUBLE),$(MAKE) REAL=double $(DOUBLE))
	@PEFTBENCH=$(abspath $(BUILD)/peftbench) tests/run.sh $(TESTS) $(DOUBLE) $(SCRIPTS)

programs: $(BUILD)/peftbench $(TESTS)

benches: $(BENCHES) $(BUILD)/bench/calibrate

calibrate: $(BUILD)/bench/calibrate ## simulates studies: coverage of the intervals, errors of the tests
	@$(BUILD)/bench/calibrate

planted: $(BUILD)/peftbench ## plants faults in a copy of the sources, which `verify` must find
	@tests/torture/planted.sh

mutants: $(BUILD)/peftbench ## plants faults that change few predictions, which `check` must find (takes many minutes)
	@tests/torture/mutants.sh

torture: $(BUILD)/peftbench ## kills, failing allocations, a full disk and other faults (takes many minutes)
	@PEFTBENCH=$(abspath $(BUILD)/peftbench) tests/torture/database.sh long

docs: $(BUILD)/peftbench ## writes docs/methods.md from the plugins
	@$(BUILD)/peftbench list --markdown >docs/methods.md

CLAIMS = $(sort $(wildcard experiments/claims/*.tsv))
CLAIMED = claims/methods claims/inference claims/micro-batch serving combine rank intrinsic-dimension data-size prefix-length prompting
CLAIMS_DB = $(firstword $(wildcard results/claims.db) build/results/claims.db)
claims: $(CLAIMS_DB) $(BUILD)/peftbench ## writes docs/claims.md: the verdicts of stored runs on experiments/claims
	@$(BUILD)/peftbench claims $(CLAIMS) --db $(CLAIMS_DB) --any-version --threads 2 --out docs/claims.md
claims/run: $(BUILD)/peftbench ## trains what these claims need (hours), and writes docs/claims.md
	@for e in $(CLAIMED); do $(BUILD)/peftbench run experiments/$$e.ini --db results/claims.db || exit 1; done
	@$(MAKE) claims
build/results/%.db: results/%.db.xz
	@mkdir -p $(@D)
	xz -dc $< >$@.new && mv $@.new $@

figures: $(BUILD)/peftbench ## draws the figures and writes the tables of the documentation from the databases in results/
	@tools/figures.pl

# The experiments of docs/experiments.md, docs/retention.md and docs/zoo.md with the small models and shipped data.
STUDIES = retention sentiment tune targets describe e2e zoo-pico zoo-describe
results: $(BUILD)/peftbench ## runs the experiments of the documentation again, into results/ (takes hours)
	@for x in $(STUDIES); do $(BUILD)/peftbench run experiments/$$x.ini --db results/$$x.db || exit 1; done
	@$(MAKE) claims/run
	@tools/pack.sh $(filter-out retention zoo-describe,$(STUDIES)) claims # one is small, one is too large

check: ## compilers, sanitizers, clang-tidy, format, and the rules of code and documentation
	@tools/setup.sh check
	@tools/check.sh

# Seconds for each target; use FUZZ=600 for a release.
FUZZ    = 60
TARGETS = safetensors torch gguf tokenizer config parquet visible conll jinja retention
fuzz: ## runs libFuzzer on the readers of foreign files, FUZZ seconds each (60)
	@tools/setup.sh fuzz
	@$(MAKE) $(TARGETS:%=build/fuzz/fuzz_%)
	@for t in $(TARGETS); do mkdir -p build/fuzz/new/$$t && build/fuzz/fuzz_$$t -max_total_time=$(FUZZ) -rss_limit_mb=4096 \
	-close_fd_mask=3 -artifact_prefix=build/fuzz/ -print_final_stats=1 build/fuzz/new/$$t tests/fuzz/corpus/$$t || exit 1; done
build/fuzz/fuzz_%: tests/fuzz/fuzz.c $(filter-out src/experiment/% src/results/% src/driver/% src/report/% src/verify/% src/cli/%,$(SOURCES)) | build/registry.c
	@mkdir -p $(@D)
	clang -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DTARGET=try_$* \
	-I src -I . -I build -pthread -o $@ $^ build/registry.c $(LIBS)

parity: $(BUILD)/peftbench ## compares with transformers and PEFT, in a virtual environment
	+@tests/parity/run.sh

bench: $(BENCHES) ## times the engine and PyTorch with PEFT, in a virtual environment
	bench/run.sh

format: ## formats the code with clang-format
	clang-format -i $(CODE)

.PHONY: all fuzz help figures results setup models/minilm models/smollm2 demo install uninstall deb clean test programs claims claims/run check parity bench format always
.SECONDARY:
