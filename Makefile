# The work is in cargo and two links; "How it is built" in CONTRIBUTING.md says why.
#
#   make                      everything into $(BUILDDIR)
#   make check                every test
#   make demo                 one request through a FastCGI program
#   make install PREFIX=/usr LIBDIR=... DESTDIR=...
#
# CC CXX AR OBJCOPY CFLAGS LDFLAGS CARGO CARGO_BUILD_TARGET CARGO_TARGET_DIR are honoured.

CARGO   ?= cargo
OBJCOPY ?= objcopy
INSTALL ?= install

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

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BUILDDIR   ?= $(TARGET_DIR)/dist
# What cargo makes has the names of what we make from it, so it lives in a directory of its own.
CARGO_DIR  := $(TARGET_DIR)/cargo
CARGO_OUT  := $(CARGO_DIR)$(CARGO_BUILD_TARGET:%=/%)/dist
ARCHIVE    := $(CARGO_OUT)/libfcgi.a
BRIDGE     := $(CARGO_OUT)/cgi-fcgi
# One target by name: with "lib" among the crate types, plain "cargo build" leaves LTO out.
RUSTC      := $(CARGO) rustc --locked --profile dist --target-dir $(CARGO_DIR)

SYMBOL_LISTS := abi/libfcgi.so.0.symbols $(wildcard abi-extensions.symbols)
# Distributions put -flto into CFLAGS; nothing here is left for the C compiler to optimise.
LINK := $(CC) $(CFLAGS) -fno-lto -Wl,--gc-sections @$(BUILDDIR)/roots

HEADERS := $(notdir $(wildcard include/*.h))
MANUALS := $(wildcard man/*.1 man/*.3 man/*.7)

.PHONY: all check demo install uninstall bench clean deps deps-check FORCE
.DELETE_ON_ERROR:

all: $(addprefix $(BUILDDIR)/, $(SHARED) $(SONAME) libfcgi.so libfcgi.a fcgi.pc cgi-fcgi \
       $(HEADERS:%=include/%) $(HEADERS:%=include/fastcgi/%))

# Cargo knows what is out of date. It leaves the files alone if nothing is, and so do we.
$(ARCHIVE): FORCE
	$(RUSTC) --lib --crate-type staticlib
# After the archive, because cargo lets only one of them work at a time.
$(BRIDGE): FORCE | $(ARCHIVE)
	$(RUSTC) --bin cgi-fcgi -- -C strip=symbols

$(BUILDDIR)/symbols: $(SYMBOL_LISTS)
	mkdir -p $(@D)
	sed 's/[[:space:]].*//' $(SYMBOL_LISTS) | sort > $@

# What the linker starts from when it looks for the sections in use.
$(BUILDDIR)/roots: $(BUILDDIR)/symbols
	sed 's/^/-Wl,-u,/' $< > $@

$(BUILDDIR)/version-script: $(BUILDDIR)/symbols
	{ echo '{ global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } > $@

# The names stay preemptible (no -Bsymbolic): programs hold their own copy of _fcgi_sF.
$(BUILDDIR)/$(SHARED): $(ARCHIVE) $(BUILDDIR)/version-script $(BUILDDIR)/roots
	$(LINK) -shared $(LDFLAGS) -Wl,-soname,$(SONAME) \
	  -Wl,--version-script=$(BUILDDIR)/version-script -Wl,--no-undefined-version \
	  -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -Wl,-s -o $@ $(ARCHIVE)

$(BUILDDIR)/$(SONAME): $(BUILDDIR)/$(SHARED)
	ln -sf $(SHARED) $@

$(BUILDDIR)/libfcgi.so: $(BUILDDIR)/$(SONAME)
	ln -sf $(SONAME) $@

# One object with our names global and all of Rust's local, instead of the 20 MB that cargo makes;
# without the bitcode of Rust's standard library, which other versions of LLVM choke on.
$(BUILDDIR)/libfcgi.a: $(ARCHIVE) $(BUILDDIR)/symbols $(BUILDDIR)/roots
	$(LINK) -r -nostdlib -o $(BUILDDIR)/fcgi.o $(ARCHIVE)
	$(OBJCOPY) --keep-global-symbols=$(BUILDDIR)/symbols --strip-unneeded \
	  --remove-section=.llvmbc --remove-section=.llvmcmd $(BUILDDIR)/fcgi.o
	rm -f $@
	$(AR) rcs $@ $(BUILDDIR)/fcgi.o

$(BUILDDIR)/cgi-fcgi: $(BRIDGE)
	mkdir -p $(@D)
	cp $< $@

# The prefix may differ from one call to the next: always written anew.
$(BUILDDIR)/fcgi.pc: pkgconfig/fcgi.pc.in FORCE
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
  $(PKGCONFIGDIR)/fcgi.pc $(BINDIR)/cgi-fcgi \
  $(addprefix $(INCLUDEDIR)/, $(HEADERS) $(HEADERS:%=fastcgi/%)) \
  $(foreach m,$(MANUALS),$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m))))

# Builds only what was never built: under sudo there is often no cargo.
install:
	test -e $(BUILDDIR)/libfcgi.a -a -e $(BUILDDIR)/cgi-fcgi || $(MAKE) all
	mkdir -p $(sort $(dir $(INSTALLED)))
	$(INSTALL) -m 755 $(BUILDDIR)/$(SHARED) $(DESTDIR)$(LIBDIR)/$(SHARED)
	ln -sf $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libfcgi.so
	$(INSTALL) -m 644 $(BUILDDIR)/libfcgi.a $(DESTDIR)$(LIBDIR)/libfcgi.a
	$(PKGCONFIG_FILE) pkgconfig/fcgi.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/fcgi.pc
	$(INSTALL) -m 755 $(BUILDDIR)/cgi-fcgi $(DESTDIR)$(BINDIR)/cgi-fcgi
	$(INSTALL) -m 644 $(HEADERS:%=include/%) $(DESTDIR)$(INCLUDEDIR)
	for h in $(HEADERS); do ln -sf ../$$h $(DESTDIR)$(INCLUDEDIR)/fastcgi/$$h || exit 1; done
	for m in $(MANUALS); do \
	  $(INSTALL) -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/ || exit 1; done

uninstall:
	rm -f $(INSTALLED)
	-rmdir $(DESTDIR)$(INCLUDEDIR)/fastcgi

# What building and testing need beyond Rust: installs it, or says how.
deps:
	scripts/deps.sh install check
deps-check:
	scripts/deps.sh list check

check:
	scripts/deps.sh install check
	$(MAKE) all
	$(CARGO) test --locked --workspace --no-fail-fast

demo:
	scripts/deps.sh install demo
	$(MAKE) all
	+scripts/demo.sh $(BUILDDIR)

bench: all
	$(CARGO) bench --locked

clean:
	rm -rf $(BUILDDIR)
	$(CARGO) clean
