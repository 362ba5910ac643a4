#!/usr/bin/env bash
# Fuzzes every target, or the ones named, for some seconds each. Usage: fuzz/run.sh SECONDS [TARGET...]
#
# Needs a nightly compiler and cargo-fuzz. LIBFCGI_DIST is the directory of the built library; the
# corpus grows in fuzz/corpus, which is not kept; what is worth keeping goes to fuzz/seeds.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
targets=("${@:-}")
[ -n "${targets[0]}" ] || targets=(record_reader name_value answer connection differential)
dist=$(realpath "${LIBFCGI_DIST:-${CARGO_TARGET_DIR:-target}/dist}")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz

place=$(mktemp -d)
programs=()
cleanup() {
    [ ${#programs[@]} -eq 0 ] || kill "${programs[@]}" || true
    rm -rf "$place"
}
trap cleanup EXIT

# The same program on both libraries, for the differential target.
cc -I"$dist/include" -o "$place/echo" tests/support/echo.c -L"$dist" -lfcgi
"$place/echo" "$place/original" &
programs+=($!)
LD_LIBRARY_PATH=$dist "$place/echo" "$place/ours" &
programs+=($!)
export FUZZ_ORIGINAL=$place/original FUZZ_OURS=$place/ours

cargo +nightly fuzz build
for target in "${targets[@]}"; do
    printf '\n### %s\n' "$target"
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
done
