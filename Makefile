# nanovec: vector similarity search for PostgreSQL
#
#   make demo       nearest neighbours of real things, on a throw-away server
#   make check      all tests, on a throw-away server
#   make check-pg PG=17, check-upgrade     with another PostgreSQL; as root
#   make check-pg PG=15 ARCH=i386          in a 32-bit Debian; as root
#   make check-quality      recall beside pgvector's on many kinds of data; long
#   make check-large, soak MINUTES=n       long tests
#   make fuzz       fuzzers, each for FUZZ_SECONDS (600) seconds
#   make check-asan, check-valgrind, check-assert    SQL tests under sanitizers, in
#                   valgrind, and on a PostgreSQL with assertions; long
#   make bench      measurements against other engines (bench-quick: 5 minutes)
#   make bench-scale SCALE="PART [OPTION ...]"    how far one server goes, and several
#   make            build with the PostgreSQL that PG_CONFIG names
#   make install    install into it
#   make install-pgvector-alias    install it as extension vector, too
#
# demo and check install what the machine lacks and need no other step.

EXTENSION = nanovec nanovec_collections nanovec_shards
version_of = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(1).control)
EXTVERSION = $(call version_of,nanovec)

MODULE_big = nanovec
SRCS = $(sort $(wildcard src/*.c src/*/*.c))
OBJS = $(SRCS:.c=.o)

parts_of = $(addprefix $(1)/, $(shell sed '/^\#/d' $(1)/ORDER))
SQL_PARTS = $(call parts_of,sql/ext)
SQL_SCRIPT = nanovec--$(EXTVERSION).sql
# collections, in SQL and PL/pgSQL, are an extension on top
COLLECTIONS_PARTS = $(call parts_of,sql/collections)
COLLECTIONS_SCRIPT = nanovec_collections--$(call version_of,nanovec_collections).sql
# tables on several servers, likewise
SHARDS_PARTS = $(call parts_of,sql/shards)
SHARDS_SCRIPT = nanovec_shards--$(call version_of,nanovec_shards).sql
DATA_built = $(SQL_SCRIPT) $(COLLECTIONS_SCRIPT) $(SHARDS_SCRIPT)

# make installcheck, on a server that has the extension installed.
# test_setup makes functions that the other tests call.
REGRESS = test_setup $(filter-out test_setup,$(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql))))
REGRESS_OPTS = --load-extension=nanovec

# The same code for databases and clients of pgvector, as its extension vector
ALIAS_VERSION = 0.8.6
ALIAS_COMMENT = vector data type and ivfflat and hnsw access methods (nanovec)
# ALTER EXTENSION vector UPDATE makes a database of pgvector nanovec's.  From
# pgvector of the same version the way leads through a version called nanovec.
ALIAS_UPDATES = $(patsubst %,build/alias/vector--%--$(ALIAS_VERSION).sql, \
	0.8.0 0.8.1 0.8.2 0.8.3 0.8.4 0.8.5) build/alias/vector--$(ALIAS_VERSION)--nanovec.sql
ALIAS_FILES = build/alias/vector.so build/alias/vector.control \
	build/alias/vector--$(ALIAS_VERSION).sql $(ALIAS_UPDATES) \
	build/alias/vector--nanovec--$(ALIAS_VERSION).sql

EXTRA_CLEAN = $(SRCS:.c=.d) nanovec--*.sql nanovec_collections--*.sql nanovec_shards--*.sql build results test/unit/build bench/kernels/build

# No -march=native: kernels choose their instructions at run time.
PG_CPPFLAGS = -Isrc -DNANOVEC_VERSION='"$(EXTVERSION)"' -MMD -MP
PG_CFLAGS = -std=gnu11 -fvisibility=hidden

# TEST_POINTS=1 compiles in the places where isolation tests make backends wait.
ifdef TEST_POINTS
PG_CPPFLAGS += -DNANOVEC_TEST_POINTS
endif

# WERROR=1 is how the tests build; PostgreSQL's own headers are exempt.
ifdef WERROR
PG_CFLAGS += -Wextra -Wno-unused-parameter -Werror
PG_CPPFLAGS += -isystem $(shell $(PG_CONFIG) --includedir-server)
endif

.DEFAULT_GOAL := all

# These set up the machine themselves and so must work where PostgreSQL is not
# installed yet: PGXS is not asked for.
SELF_CONTAINED = demo check check-unit check-bench check-build check-fuzz check-regress \
	check-isolation check-tap check-clients check-python check-quality check-large soak check-pg check-upgrade check-crash fuzz \
	check-asan check-valgrind check-assert \
	reference bench bench-quick bench-scale

ifneq ($(filter $(SELF_CONTAINED),$(MAKECMDGOALS)),)

.PHONY: $(SELF_CONTAINED)

demo:
	@test/lib/run.sh demo

check:
	@test/lib/run.sh +regress unit bench build fuzz - isolation tap clients python quality quick

check-unit check-bench check-build check-fuzz check-regress check-isolation check-tap check-clients check-python check-large: check-%:
	@test/lib/run.sh $*

# QUALITY="WORD ..." for some cells: see test/quality/README.md
check-quality:
	@test/lib/run.sh quality $(QUALITY)

fuzz:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} test/lib/run.sh fuzz

# 8 clients that write and 8 that read, beside an eager autovacuum
soak:
	@MINUTES=$(MINUTES) test/lib/run.sh soak

# make check on another PostgreSQL: PG=17, PG=18; SUITES as for run.sh; ARCH=i386 for 32 bits
check-pg:
	@ARCH=$(ARCH) test/lib/other_pg.sh "$(PG)" check $(SUITES)

# pg_upgrade from 15 to PG
check-upgrade:
	@test/lib/other_pg.sh "$(or $(PG),17)" upgrade

# more crashes than check has time for
check-crash:
	@NANOVEC_CRASH_ROUNDS=$${NANOVEC_CRASH_ROUNDS:-1000} test/lib/run.sh tap test/t/013_crash.pl

# These take long and are no part of check.  Debian's server does not start with
# the sanitizer's library, see test/lib/assert.sh.
check-asan:
	@NANOVEC_WATCH=asan test/lib/assert.sh regress isolation

check-valgrind:
	@NANOVEC_WATCH=valgrind test/lib/run.sh regress isolation

check-assert:
	@test/lib/assert.sh

# nanovec against its peers: see bench/README.md; options in BENCH
bench:
	@bench/run.sh $(BENCH)

bench-quick:
	@bench/run.sh --quick $(BENCH)

# parts and options are in bench/README.md
bench-scale:
	@bench/run.sh scale $(or $(SCALE),--help)

# the reference in README.md, from the COMMENTs of the extension; docs/clients, from test/clients
reference:
	@test/lib/run.sh reference

else

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) not found: install the server development package of PostgreSQL, or say PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)

# Flags that PostgreSQL was built with and another compiler does not know
ifdef DROP_CFLAGS
override CFLAGS := $(filter-out $(DROP_CFLAGS),$(CFLAGS))
endif

include src/simd/flags.mk
override CFLAGS += $(NV_FLOAT_CFLAGS)
override BITCODE_CFLAGS += $(NV_FLOAT_CFLAGS)
src/simd/kern_%.o: CFLAGS += $(NV_KERNEL_CFLAGS)

# plain loops over arrays that gain from what compilers can do with them
src/quant/%.o src/hnsw/hnsw_search.o: CFLAGS += $(CFLAGS_VECTORIZE)

# JIT bitcode is compiled from the same sources and needs no .d files of its own.
%.bc: override CPPFLAGS := $(filter-out -MMD -MP,$(CPPFLAGS))

$(SQL_SCRIPT): $(SQL_PARTS) sql/ext/ORDER
	printf '%s\n' '\echo Use "CREATE EXTENSION nanovec" to load this file. \quit' > $@
	cat $(SQL_PARTS) >> $@

$(COLLECTIONS_SCRIPT): $(COLLECTIONS_PARTS) sql/collections/ORDER
	printf '%s\n' '\echo Use "CREATE EXTENSION nanovec_collections" to load this file. \quit' > $@
	cat $(COLLECTIONS_PARTS) >> $@

$(SHARDS_SCRIPT): $(SHARDS_PARTS) sql/shards/ORDER
	printf '%s\n' '\echo Use "CREATE EXTENSION nanovec_shards" to load this file. \quit' > $@
	cat $(SHARDS_PARTS) >> $@

.PHONY: install-pgvector-alias uninstall-pgvector-alias pgvector-alias

pgvector-alias: $(ALIAS_FILES)

build/alias/nv_edition.o: src/nv_edition.c src/nv_edition.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DNV_PGVECTOR_ALIAS $(CPPFLAGS) -c -o $@ $<

build/alias/vector.so: build/alias/nv_edition.o $(filter-out src/nv_edition.o,$(OBJS))
	$(LINK.shared) -o $@ $^ $(LDFLAGS) $(LDFLAGS_SL) $(SHLIB_LINK)

build/alias/vector.control: nanovec.control Makefile
	@mkdir -p $(@D)
	sed -e "s/^comment = .*/comment = '$(ALIAS_COMMENT)'/" \
		-e "s/^default_version = .*/default_version = '$(ALIAS_VERSION)'/" \
		-e "s/^module_pathname = .*/module_pathname = '\$$libdir\/vector'/" $< > $@

build/alias/vector--$(ALIAS_VERSION).sql: $(SQL_SCRIPT)
	@mkdir -p $(@D)
	sed 's/CREATE EXTENSION nanovec/CREATE EXTENSION vector/' $< > $@

$(ALIAS_UPDATES): $(SQL_SCRIPT) sql/ext/from_pgvector.sql sql/ext/from_pgvector.awk Makefile
	@mkdir -p $(@D)
	printf '%s\n' '\echo Use "ALTER EXTENSION vector UPDATE" to load this file. \quit' > $@
	cat sql/ext/from_pgvector.sql >> $@
	awk -f sql/ext/from_pgvector.awk $< >> $@
	echo "COMMENT ON EXTENSION vector IS '$(ALIAS_COMMENT)';" >> $@

build/alias/vector--nanovec--$(ALIAS_VERSION).sql: Makefile
	@mkdir -p $(@D)
	echo '-- the same objects' > $@

alias_dir = $(DESTDIR)$(datadir)/extension
alias_is_ours = { [ ! -e "$(alias_dir)/vector.control" ] || grep -q nanovec "$(alias_dir)/vector.control"; }

install-pgvector-alias: $(ALIAS_FILES)
	@$(alias_is_ours) || { echo "pgvector is installed here: remove it first" \
		"(its package, or make uninstall in its source), then run this again." \
		"Its databases need nanovec's library from then on: see docs/pgvector.md." >&2; exit 1; }
	$(MKDIR_P) '$(alias_dir)' '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_SHLIB) build/alias/vector.so '$(DESTDIR)$(pkglibdir)/'
	$(INSTALL_DATA) $(filter-out %.so,$(ALIAS_FILES)) '$(alias_dir)/'

uninstall-pgvector-alias:
	@$(alias_is_ours) || { echo "the extension vector here is pgvector, not nanovec's alias" >&2; exit 1; }
	rm -f $(addprefix '$(alias_dir)'/,$(notdir $(filter-out %.so,$(ALIAS_FILES)))) \
		'$(DESTDIR)$(pkglibdir)/vector.so'

-include $(SRCS:.c=.d)

endif
