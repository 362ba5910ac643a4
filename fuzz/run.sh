#!/usr/bin/env bash
# Fuzzes every target, or the ones named, for some seconds each. Usage: fuzz/run.sh SECONDS [TARGET...]
#
# Needs a nightly compiler and cargo-fuzz. LIBFCGI_DIST is the directory of the built library; the
# corpus grows in fuzz/corpus, which is not committed; inputs worth keeping go to fuzz/seeds.
# Ends with a row for each target, as docs/reliability.md has them; fails if anything was found.
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
cc -I"$dist/include" -o "$place/echo" testkit/programs/echo.c -L"$dist" -lfcgi
"$place/echo" "$place/original" &
programs+=($!)
LD_LIBRARY_PATH=$dist "$place/echo" "$place/ours" &
programs+=($!)
export FUZZ_ORIGINAL=$place/original FUZZ_OURS=$place/ours
# The directory of the connection target's socket.
export TMPDIR=$place

# Prints the directories from which a target starts: its seeds, and captures.
seeds() {
    case $1 in
    record_reader) echo fuzz/seeds/connection fuzz/captures/requests ;;
    connection) echo fuzz/seeds/connection fuzz/captures/requests ;;
    answer) echo fuzz/seeds/answer fuzz/captures/answers ;;
    name_value) echo fuzz/seeds/name_value fuzz/captures/params ;;
    *) echo "fuzz/seeds/$1" ;;
    esac
}

# Prints the row of a run, from the last line with figures in libFuzzer's output. A run that ends among the
# seeds has none.
row() {
    local target=$1 log=$2 findings=$3 figures
    figures=$(sed -nE 's/^#([0-9]+).* cov: ([0-9]+) ft: ([0-9]+) corp: ([0-9]+).*/\1 | \2 | \3 | \4/p' \
        "$log" | tail -n 1 | sed -E ':a; s/([0-9])([0-9]{3})\b/\1,\2/; ta')
    printf '| %s | %s | %s | %s |\n' "$target" "$seconds" "${figures:-– | – | – | –}" "$findings"
}

cargo +nightly fuzz build
found=0
for target in "${targets[@]}"; do
    printf '\n### %s\n' "$target"
    mkdir -p "fuzz/corpus/$target"
    findings=none
    # shellcheck disable=SC2046 # several directories
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" $(seeds "$target") -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 2>&1 |
        tee "$place/log" || { findings=1 found=1; }
    row "$target" "$place/log" "$findings" >>"$place/rows"
done

printf '\n| target | seconds | executions | coverage (edges) | features | corpus | findings |\n'
printf '|---|---|---|---|---|---|---|\n'
cat "$place/rows"
exit "$found"
