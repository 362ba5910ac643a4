# The work is in cargo and two links; "How it is built" in CONTRIBUTING.md says why.
#
#   make                      everything into $(BUILDDIR)
#   make test                 the tests that need nothing but compilers, in a minute
#   make check                every test, beside the original
#   make check-servers        of these, the ones behind web servers and with programs of other projects
#   make check-languages      the programs of examples-ffi, in many languages; -all: in more
#   make check-i386           whether it compiles and links for a machine of 32 bits
#   make check-musl           small stacks with musl
#   make demo                 one request through a FastCGI program
#   make bench                ours beside the original; make bench-counts: what has gates, in a minute;
#                             make bench ROWS="waiting 'part of a title'": a few rows only
#   make install PREFIX=/usr LIBDIR=... DESTDIR=...
#
# CC CXX AR OBJCOPY READELF CFLAGS CXXFLAGS LDFLAGS CARGO CARGO_BUILD_TARGET CARGO_TARGET_DIR are
# honoured.

CARGO   ?= cargo
OBJCOPY ?= objcopy
READELF ?= readelf
INSTALL ?= install

CXXFLAGS ?= -O2

PREFIX       ?= /usr/local
LIBDIR       ?= $(PREFIX)/lib
INCLUDEDIR   ?= $(PREFIX)/include
BINDIR       ?= $(PREFIX)/bin
MANDIR       ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig

# The level of the API, which programs ask pkg-config for; not the version of this project.
API_VERSION := 2.4.7
SONAME      := libfcgi.so.0
SHARED      := $(SONAME).0.0
CXX_SONAME  := libfcgi++.so.0
CXX_SHARED  := $(CXX_SONAME).0.0

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BUILDDIR   ?= $(TARGET_DIR)/dist
# Cargo's files have the names of ours, so they are in a directory of their own.
CARGO_DIR  := $(TARGET_DIR)/cargo
CARGO_OUT  := $(CARGO_DIR)$(CARGO_BUILD_TARGET:%=/%)/dist
ARCHIVE    := $(CARGO_OUT)/libfcgi.a
BRIDGE     := $(CARGO_OUT)/cgi-fcgi
# Not named RUSTC: if that is in the environment, make would export the new value to cargo.
CRATE      := $(CARGO) rustc --locked --profile dist --target-dir $(CARGO_DIR)

SYMBOL_LISTS := abi/libfcgi.so.0.symbols $(wildcard abi-extensions.symbols)
# Distributions put -flto into CFLAGS; rustc's objects leave it nothing to optimise.
LINK := $(CC) $(CFLAGS) -fno-lto -Wl,--gc-sections @$(BUILDDIR)/roots @$(BUILDDIR)/panics

HEADERS := $(notdir $(wildcard include/*.h))
MANUALS := $(wildcard man/*.1 man/*.3 man/*.7)

.PHONY: all test check check-servers check-languages check-languages-all check-i386 check-musl soak fuzz sanitizers demo install uninstall bench bench-counts clean deps deps-check testable FORCE
.DELETE_ON_ERROR:

all: $(addprefix $(BUILDDIR)/, $(SHARED) $(SONAME) libfcgi.so libfcgi.a fcgi.pc cgi-fcgi \
       $(CXX_SHARED) $(CXX_SONAME) libfcgi++.so libfcgi++.a fcgi++.pc \
       $(HEADERS:%=include/%) $(HEADERS:%=include/fastcgi/%))

# Cargo knows what is out of date. It leaves a fresh file as it is, and then nothing below is made again.
$(ARCHIVE): FORCE
	$(CRATE) --lib --crate-type staticlib
# After the archive, because cargo lets only one of them work at a time.
$(BRIDGE): FORCE | $(ARCHIVE)
	$(CRATE) --bin cgi-fcgi -- -C strip=symbols

$(BUILDDIR)/symbols: $(SYMBOL_LISTS)
	mkdir -p $(@D)
	sed 's/[[:space:]].*//' $(SYMBOL_LISTS) | sort > $@

# The names from which the linker finds the sections in use.
$(BUILDDIR)/roots: $(BUILDDIR)/symbols
	{ sed 's/^/-Wl,-u,/' $<; echo -Wl,-u,fcgi_last_resort; } > $@

# Redirects Rust's panic functions, and those that would then unwind the stack, to fcgi_last_resort. Rust's
# backtrace printer is larger than the whole library, and every process would have to load libgcc_s. Some of
# the names contain a hash of the compiler. (readelf, because nm cannot read rustc's archives.)
PANIC_NAMES := rust_begin_unwind\|__rust_alloc_error_handler\|rust_eh_personality\|_Unwind_[A-Za-z]*
$(BUILDDIR)/panics: $(ARCHIVE)
	mkdir -p $(@D)
	$(READELF) -sW $< | sed -n -e '/ \.[^ ]*$$\| DW\./d' -e \
	  's/.* \([^ ]*\($(PANIC_NAMES)\)\)$$/-Wl,--defsym=\1=fcgi_last_resort/p' | sort -u > $@
	test -s $@

$(BUILDDIR)/version-script: $(BUILDDIR)/symbols
	{ echo '{ global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } > $@

# Without -Bsymbolic, and with nodelete: CONTRIBUTING.md.
$(BUILDDIR)/$(SHARED): $(ARCHIVE) $(addprefix $(BUILDDIR)/, version-script roots panics)
	$(LINK) -shared $(LDFLAGS) -Wl,-soname,$(SONAME) \
	  -Wl,--version-script=$(BUILDDIR)/version-script -Wl,--no-undefined-version \
	  -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs,-z,nodelete -Wl,--as-needed -Wl,-s -o $@ $(ARCHIVE)

$(BUILDDIR)/$(SONAME): $(BUILDDIR)/$(SHARED)
	ln -sf $(SHARED) $@

$(BUILDDIR)/libfcgi.so: $(BUILDDIR)/$(SONAME)
	ln -sf $(SONAME) $@

# One object with our names global and weak, and all of Rust's local, instead of the 20 MB that cargo makes:
# CONTRIBUTING.md. Without the bitcode of Rust's standard library, which other versions of LLVM cannot read.
$(BUILDDIR)/libfcgi.a: $(ARCHIVE) $(addprefix $(BUILDDIR)/, symbols roots panics)
	$(LINK) -Wl,--force-group-allocation -r -nostdlib -o $(BUILDDIR)/fcgi.o $(ARCHIVE)
	$(OBJCOPY) --keep-global-symbols=$(BUILDDIR)/symbols --weaken-symbols=$(BUILDDIR)/symbols --strip-unneeded \
	  --remove-section=.llvmbc --remove-section=.llvmcmd $(BUILDDIR)/fcgi.o
	rm -f $@
	$(AR) rcs $@ $(BUILDDIR)/fcgi.o

# The classes of fcgio.h. Mangled names contain the types of streamsize and of an offset, which depend on the
# machine; the list has those of x86_64.
$(BUILDDIR)/version-script++: abi/libfcgi++.so.0.symbols
	mkdir -p $(@D)
	{ echo '{ global:'; sed 's/Pcl$$/Pc?/; s/PKcl$$/PKc?/; s/_n24_/_n*_/; s/$$/;/' $<; \
	  echo 'local: *; };'; } > $@

$(BUILDDIR)/fcgio.o: src/cxx/fcgio.cpp include/fcgio.h include/fcgiapp.h
	mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -fno-lto -fPIC -Iinclude -c -o $@ $<

$(BUILDDIR)/$(CXX_SHARED): $(BUILDDIR)/fcgio.o $(BUILDDIR)/version-script++ $(BUILDDIR)/$(SHARED)
	$(CXX) $(CXXFLAGS) -fno-lto -shared $(LDFLAGS) -Wl,-soname,$(CXX_SONAME) \
	  -Wl,--version-script=$(BUILDDIR)/version-script++ -Wl,--as-needed \
	  -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -Wl,-s -o $@ $(BUILDDIR)/fcgio.o $(BUILDDIR)/$(SHARED)

$(BUILDDIR)/$(CXX_SONAME): $(BUILDDIR)/$(CXX_SHARED)
	ln -sf $(CXX_SHARED) $@

$(BUILDDIR)/libfcgi++.so: $(BUILDDIR)/$(CXX_SONAME)
	ln -sf $(CXX_SONAME) $@

$(BUILDDIR)/libfcgi++.a: $(BUILDDIR)/fcgio.o
	rm -f $@
	$(AR) rcs $@ $<

$(BUILDDIR)/cgi-fcgi: $(BRIDGE)
	mkdir -p $(@D)
	cp $< $@

# Always written anew, because the prefix may differ from that of the last call.
$(BUILDDIR)/%.pc: pkgconfig/%.pc.in FORCE
	mkdir -p $(@D)
	$(PKGCONFIG_FILE) $< > $@
PKGCONFIG_FILE = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(API_VERSION)|' \
  -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
  -e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|'

$(BUILDDIR)/include/%.h: include/%.h
	mkdir -p $(@D)
	cp $< $@

# Programs write <fcgiapp.h> or <fastcgi/fcgiapp.h>.
$(BUILDDIR)/include/fastcgi/%.h: include/%.h
	mkdir -p $(@D)
	ln -sf ../$*.h $@

INSTALLED := $(addprefix $(DESTDIR), \
  $(addprefix $(LIBDIR)/, $(SHARED) $(SONAME) libfcgi.so libfcgi.a) \
  $(addprefix $(LIBDIR)/, $(CXX_SHARED) $(CXX_SONAME) libfcgi++.so libfcgi++.a) \
  $(PKGCONFIGDIR)/fcgi.pc $(PKGCONFIGDIR)/fcgi++.pc $(BINDIR)/cgi-fcgi \
  $(addprefix $(INCLUDEDIR)/, $(HEADERS) $(HEADERS:%=fastcgi/%)) \
  $(foreach m,$(MANUALS),$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m))))

# Builds only what is missing: under sudo there is often no cargo. Installed files are readable for all users
# with any umask; existing directories stay as they are.
install:
	test -e $(BUILDDIR)/libfcgi++.a -a -e $(BUILDDIR)/cgi-fcgi || $(MAKE) all
	umask 022 && mkdir -p $(sort $(dir $(INSTALLED)))
	$(INSTALL) -m 755 $(BUILDDIR)/$(SHARED) $(DESTDIR)$(LIBDIR)/$(SHARED)
	ln -sf $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libfcgi.so
	$(INSTALL) -m 644 $(BUILDDIR)/libfcgi.a $(DESTDIR)$(LIBDIR)/libfcgi.a
	$(INSTALL) -m 755 $(BUILDDIR)/$(CXX_SHARED) $(DESTDIR)$(LIBDIR)/$(CXX_SHARED)
	ln -sf $(CXX_SHARED) $(DESTDIR)$(LIBDIR)/$(CXX_SONAME)
	ln -sf $(CXX_SONAME) $(DESTDIR)$(LIBDIR)/libfcgi++.so
	$(INSTALL) -m 644 $(BUILDDIR)/libfcgi++.a $(DESTDIR)$(LIBDIR)/libfcgi++.a
	$(PKGCONFIG_FILE) pkgconfig/fcgi.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/fcgi.pc
	$(PKGCONFIG_FILE) pkgconfig/fcgi++.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/fcgi++.pc
	chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/fcgi.pc $(DESTDIR)$(PKGCONFIGDIR)/fcgi++.pc
	$(INSTALL) -m 755 $(BUILDDIR)/cgi-fcgi $(DESTDIR)$(BINDIR)/cgi-fcgi
	$(INSTALL) -m 644 $(HEADERS:%=include/%) $(DESTDIR)$(INCLUDEDIR)
	for h in $(HEADERS); do ln -sf ../$$h $(DESTDIR)$(INCLUDEDIR)/fastcgi/$$h || exit 1; done
	for m in $(MANUALS); do \
	  $(INSTALL) -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/ || exit 1; done

uninstall:
	rm -f $(INSTALLED)
	-rmdir $(DESTDIR)$(INCLUDEDIR)/fastcgi

# Installs what building and testing need beyond Rust, or prints the command.
deps:
	scripts/deps.sh install check
deps-check:
	scripts/deps.sh list check

# One after the other, also under -j: building needs what is installed.
testable:
	scripts/deps.sh install check
	$(MAKE) all

# Three rings of tests: tests/README.md. The first installs nothing and runs ours alone: what the
# original does is stored, and compared with the original by the second.
TEST := --lib --bins $(addprefix --test , architecture headers declarations settings differences wire c_suite \
  rust_api rust_api_heap)
test: all
	LIBFCGI_ORIGINAL=stored LIBFCGI_DIST=$(BUILDDIR) $(CARGO) test --locked --no-fail-fast $(TEST)
	$(CARGO) test --locked --doc

check: testable
	env -u LIBFCGI_ORIGINAL $(CARGO) test --locked --workspace --no-fail-fast
	$(CARGO) package --locked --allow-dirty --no-verify --quiet

# The part that needs web servers and the programs of other projects.
check-servers: testable
	$(CARGO) test --locked --no-fail-fast --test web_servers --test programs

# What reads headers for other languages, and the programs of examples-ffi: those that CI runs, and all, with
# npm's registry.
check-languages:
	scripts/deps.sh install languages
	$(MAKE) all
	LIBFCGI_DIST=$(BUILDDIR) $(CARGO) test --locked --no-fail-fast --test languages --test generators -- --skip all::
check-languages-all:
	scripts/deps.sh install languages-all
	$(MAKE) all
	LIBFCGI_DIST=$(BUILDDIR) $(CARGO) test --locked --no-fail-fast --test languages --test generators
	LIBFCGI_DIST=$(BUILDDIR) $(CARGO) test --locked --no-fail-fast --test bindings -- --include-ignored

# Debian's Rust, and its standard library for i386.
check-i386:
	scripts/deps.sh install check-i386
	scripts/check-i386.sh

# With musl as the C library; needs musl-tools and rustup.
check-musl: testable
	scripts/musl.sh

# Ten minutes of requests; "make check" takes 20 seconds of it.
soak: all
	LIBFCGI_SOAK_SECONDS=600 $(CARGO) test --locked --release --test soak -- --nocapture

# Twenty minutes for each target of fuzz/, with a nightly compiler and cargo-fuzz.
FUZZ_SECONDS ?= 1200
fuzz: testable
	LIBFCGI_DIST=$(BUILDDIR) fuzz/run.sh $(FUZZ_SECONDS)

# With AddressSanitizer and ThreadSanitizer, three minutes; needs a nightly compiler with rust-src.
sanitizers:
	scripts/deps.sh install check
	scripts/sanitizers.sh

demo:
	scripts/deps.sh install demo
	$(MAKE) all
	+scripts/demo.sh $(BUILDDIR)

# Ours beside the original and beside bare system calls: docs/benchmarks.md. Counts have gates.
BENCH := LIBFCGI_DIST=$(BUILDDIR) $(CARGO) bench --locked --bench bench --
bench: testable
	$(BENCH) $(ROWS)
bench-counts: testable
	$(BENCH) counts

clean:
	rm -rf $(BUILDDIR)
	$(CARGO) clean
