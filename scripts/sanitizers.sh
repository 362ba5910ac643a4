#!/usr/bin/env bash
# Runs tests on a library and programs with AddressSanitizer and with ThreadSanitizer: `make sanitizers`.
# Usage: scripts/sanitizers.sh [address|thread]
#
# Needs clang and a nightly compiler with rust-src. Each report is a file, and any file fails the run, even
# if its test passes. The original library is not checked.
set -euo pipefail
cd "$(dirname "$0")/.."
# The variables of a make that called us do not apply to the builds below.
unset MAKEFLAGS MFLAGS MAKELEVEL BUILDDIR

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/sanitizers"
target=$(realpath "$target")
export CARGO_TARGET_DIR=$target
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
libraries=$(rustc +nightly --print target-libdir)

# Makes a C compiler with clang's sanitizer. Programs get rustc's runtime, which matches the library and comes
# with every rustc. Usage: make_compiler SANITIZER RUNTIME FILE
make_compiler() {
    cat > "$3" <<EOF
#!/usr/bin/env bash
arguments=()
runtime=(-rdynamic -Wl,--whole-archive $(printf '%q' "$2") -Wl,--no-whole-archive -lpthread -lrt -ldl -lm)
for argument; do
    case \$argument in
    -c) runtime=() ;;
    -shared) runtime=(-Wl,-z,undefs) ;; # the program has the runtime
    -Wl,-s) continue ;; # reports need names
    esac
    arguments+=("\$argument")
done
exec clang -Xclang -fsanitize=$1 -fno-omit-frame-pointer "\${arguments[@]}" "\${runtime[@]}"
EOF
    chmod +x "$3"
}

# Builds the shared library and the headers, by the Makefile's rules. Usage: build SANITIZER CARGO...
build() {
    local -a wanted=(libfcgi.so)
    local header
    for header in include/*.h; do
        wanted+=("$header" "include/fastcgi/${header##*/}")
    done
    CARGO_TARGET_DIR=$place CARGO_BUILD_TARGET=$host CARGO_PROFILE_DIST_DEBUG=line-tables-only \
        RUSTFLAGS="-Zsanitizer=$1 -Cforce-frame-pointers=yes" \
        make -s CC="$place/cc" CARGO="${*:2}" "${wanted[@]/#/$place/dist/}"
    readelf -W --dyn-syms "$place/dist/libfcgi.so" | grep " __$runtime" >/dev/null || {
        echo "the library is not instrumented" >&2
        exit 1
    }
}

# Runs a program on the library, in a directory of its own; returns its status. Usage: program FILE
program() {
    local dir status=0
    dir=$(mktemp -d)
    "$place/cc" -g -I"$place/dist/include" -Ic-tests -o "$dir/program" "$1" \
        -L"$place/dist" -lfcgi -lpthread
    (cd "$dir" && LD_LIBRARY_PATH=$place/dist ./program) || status=$?
    rm -rf "$dir"
    return $status
}

# Checks that a program that breaks the rules on purpose is reported. Usage: planted SANITIZER REPORT
planted() {
    program "tests/sanitizers/$1.c" && {
        echo "tests/sanitizers/$1.c: no error" >&2
        exit 1
    }
    cat "$reports"/* | grep -A3 "$2"
    rm -f "$reports"/*
}

failed=0

# Runs some tests, and continues if they fail. Usage: tests ARGUMENT...
tests() {
    local runner="'env', 'CC=$place/cc', 'LIBFCGI_DIST=$place/dist', 'LIBFCGI_HOSTILE_GROWTH=64'"
    printf '\n== %s: %s\n' "$runtime" "$*"
    cargo test --locked --no-fail-fast --config "target.$host.runner = [$runner]" "$@" || failed=1
}

# Sets the names that the functions above use. Usage: prepare SANITIZER NAME CARGO...
prepare() {
    local -a archive=("$libraries"/librustc*_rt."$2".a)
    place=$target/sanitizers/$1
    reports=$place/reports
    runtime=$2
    rm -rf "$reports"
    mkdir -p "$reports"
    make_compiler "$1" "${archive[0]}" "$place/cc"
    build "$1" "${@:3}"
}
options() {
    export ASAN_OPTIONS="log_path=$reports/report $*" TSAN_OPTIONS="log_path=$reports/report $*"
}

address() {
    prepare address asan cargo +nightly
    # Freed memory returns to the system immediately, because hostile measures it.
    local usual="quarantine_size_mb=1 allocator_release_to_os_interval_ms=0"
    options "$usual"
    planted address heap-buffer-overflow
    program tests/memory/shut_down.c || failed=1
    # Programs that leak themselves: a request that they initialise again, and a FILE after a failed
    # freopen.
    local -a losers=(init_request_again init_again stdio_files)
    tests --test c_suite --test hostile --test ownership -- "${losers[@]/#/--skip=}"
    # Without the test that measures address space: the sanitizer takes terabytes of it.
    tests --test wire -- --skip claimed_lengths_alone_take_no_memory
    options "$usual" detect_leaks=0
    tests --test c_suite --test ownership -- --exact "${losers[@]}"
}

thread() {
    # With an instrumented std: the sanitizer would report races where it does not see std's locks.
    prepare thread tsan cargo +nightly -Zbuild-std=std,panic_abort
    options
    planted thread 'data race'
    # Without two that close descriptors which another thread uses, on purpose.
    local -a programs
    mapfile -t programs < <(grep -lE 'pthread_create|fork\(\)|sigaction' c-tests/*.c c-tests/extensions/*.c |
        sed 's|.*/||; s|\.c$||' |
        grep -vx -e number_reused -e listen_elsewhere)
    tests --test c_suite -- --exact "${programs[@]}"
    # Without two that expect a descriptor's number: because of the runtime's thread in the child, the
    # library opens others.
    tests --test ownership -- --skip fork_kept --skip fork_parked
    # The runtime makes system calls, which calls.rs counts, and has a thread: accept.rs counts threads, and
    # heads.rs is about processes with one. The sanitizer's fork must not be called in a signal handler.
    # numbers.rs, and some others, close a descriptor that another thread uses, or open another file with its
    # number, or end a thread in the middle of a call. The program of given_back.rs counts its memory while
    # its threads use it. quiet.rs counts switches, and slow.rs memory, which the runtime's adds to.
    local -a disturbed=(calls:: accept:: heads:: numbers:: given_back:: quiet:: slow::
        a_child_that_a_signal_handler_makes a_descriptor_that_changes_its_meaning
        a_thread_that_never_comes_back the_last_process_that_leaves
        a_new_listen_socket_is_served what_threads_have_taken)
    tests --test waiting -- "${disturbed[@]/#/--skip=}"
    LIBFCGI_STRESS_SECONDS=${LIBFCGI_STRESS_SECONDS:-4} tests --test stress
    # Only briefly: the runtime's own memory grows with time.
    LIBFCGI_SOAK_SECONDS=${LIBFCGI_SOAK_SECONDS:-5} tests --test soak
    tests --test hostile -- on_several_threads
}

[ $# -gt 0 ] || set -- address thread
for sanitizer; do
    "$sanitizer"
    if [ -n "$(ls "$reports")" ]; then
        tail -n +1 "$reports"/*
        failed=1
    fi
done
[ "$failed" -eq 0 ] || {
    printf '\n### the sanitizers have found something, or a test has failed\n' >&2
    exit 1
}
printf '\n### no report\n'
