#!/usr/bin/env bash
# Runs the C suite in threads with the smallest stack, on the library for musl: `make check-musl`.
#
# Needs Debian's musl-tools, and rustup for Rust's standard library.
set -euo pipefail
cd "$(dirname "$0")/.."
# The variables of a make that called us do not apply to the build below.
unset MAKEFLAGS MFLAGS MAKELEVEL BUILDDIR

command -v musl-gcc >/dev/null || {
    echo "musl-gcc is missing: apt-get install musl-tools" >&2
    exit 1
}
musl=$(uname -m)-unknown-linux-musl
rustup target add "$musl"

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/musl"
dist=$(realpath "$target/musl")
wanted=(libfcgi.so)
for header in include/*.h; do
    wanted+=("$header" "include/fastcgi/${header##*/}")
done
make -s CC=musl-gcc CARGO_BUILD_TARGET="$musl" BUILDDIR="$dist" "${wanted[@]/#/$dist/}"
CC=musl-gcc LIBFCGI_DIST=$dist cargo test --locked --test small_stacks -- \
    --ignored the_size_of_the_stack_changes_nothing
