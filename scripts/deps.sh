#!/bin/sh
# Checks for the Debian packages that building, the demo and the tests need beyond Rust.
#
# Usage: scripts/deps.sh all|list|install demo|check|check-i386|languages|languages-all
#
# install: as root, installs what is missing; otherwise prints the command to run and fails.
# list:    prints what is missing, and fails if anything is.
# all:     prints all that is needed.
set -eu

action=$1
purpose=$2

packages="gcc g++ libc6-dev make binutils pkg-config"
if [ "$purpose" = check ]; then
    # Compilers and inspection tools; the original library, for comparison; programs that run on ours.
    packages="$packages clang abigail-tools curl strace valgrind ca-certificates dpkg-dev
        libfcgi-dev libfcgi-bin
        nginx lighttpd apache2-bin libapache2-mod-fcgid haproxy caddy h2o
        php-fpm fcgiwrap spawn-fcgi multiwatch perl libperl-dev libfcgi-perl libcgi-fast-perl
        libfcgi-client-perl libplack-perl lua-wsapi-fcgi clisp-module-fastcgi iipimage-server
        cgi-mapserver mapcache-cgi bosixnet-webui git gitweb libopenjpip-server
        qgis-server-bin qgis-server-wms qgis-server-wfs shibboleth-sp-utils libsoap-lite-perl
        libhtml-mason-perl
        libcatalyst-perl libfcgi-procmanager-perl libfcgi-engine-perl libio-string-perl
        libtest-requires-perl libwww-perl libpath-tiny-perl libscope-guard-perl
        gfortran gnucobol4 luajit python3 sbcl cl-cffi gnat-12 valac ruby"
fi

# scripts/check-i386.sh downloads Rust's standard library for i386.
[ "$purpose" = check-i386 ] && packages="gcc-i686-linux-gnu g++-i686-linux-gnu make binutils"

if ! command -v cargo >/dev/null && [ -z "${CARGO:-}" ]; then
    echo "Rust 1.85 or newer is missing: apt-get install cargo, or use rustup" >&2
    exit 1
fi

# The languages of examples-ffi; those that make check-languages-all adds are large.
languages="gcc libc6-dev make binutils python3
    python3-cffi libffi-platypus-perl ruby luajit php-cli tcl tcl-dev critcl guile-3.0 sbcl"
languages="$languages g++ ldc fp-compiler golang-go ocaml-nox ocaml-findlib libctypes-ocaml-dev
    openjdk-17-jdk-headless libjna-java gnat-12 gfortran gnucobol4 valac libglib2.0-dev
    erlang-base erlang-dev pkg-config"
# What reads headers for tests/generators.
languages="$languages bindgen libclang1-14 libclang-common-14-dev swig c2hs"
[ "$purpose" = languages ] && packages=$languages
[ "$purpose" = languages-all ] && packages="$languages racket nodejs npm r-base-core r-base-dev
    ghc chicken-bin libchicken-dev gambc mono-mcs mono-runtime crystal nim"

if [ "$action" = all ]; then
    echo $packages
    exit 0
fi

# On other systems the packages have other names; the compiler reports what is missing.
if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system; needed are:" $packages >&2
    exit 0
fi

missing=
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    # Node.js that is not Debian's has npm with it, and Debian's npm cannot be installed beside it.
    [ "$package" = npm ] && command -v npm >/dev/null && state=installed
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$action" = install ] && [ "$(id -u)" -eq 0 ]; then
    apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
else
    echo "missing packages; as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
