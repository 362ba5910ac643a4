#!/bin/sh
# Builds the library, the programs and the tests for i386, and links programs to libfcgi.a and
# libfcgi.so there, which run on a kernel of x86_64.
#
# Uses Debian's rustc and cargo, and the package of their standard library for i386: unpacked below
# the target directory, because the machine should not need a foreign architecture for this. The C
# compiler and its libraries are gcc-i686-linux-gnu's.
set -eu
cd "$(dirname "$0")/.."
target=i686-unknown-linux-gnu
gnu=i686-linux-gnu
out=$(realpath -m "${CARGO_TARGET_DIR:-target}")/i386

# Debian 12 has Rust 1.85 by the first name, Debian 13 by the second.
installed() {
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' "$@" 2>/dev/null |
        sed -n 's/^installed //p'
}
set -- $(installed libstd-rust-web-dev libstd-rust-dev)
if [ $# -lt 2 ] || ! [ -x /usr/bin/cargo ]; then
    echo "Debian's Rust is missing; as root:" \
        "apt-get install 'rustc-web=1.85*' 'cargo-web=1.85*' 'libstd-rust-web-dev=1.85*'" >&2
    exit 1
fi
package=$1 version=$2

# Unpacks the i386 package of the installed version, from the same source but with an index of its own.
fetch() (
    rm -rf "$1"
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
    cd "$1"
    apt-cache madison "$package" |
        sed -n "s,^.* | $version | \([^ ]*\) \([^ /]*\)/\([^ ]*\) .*,deb [arch=i386] \1 \2 \3,p" \
            >sources.list
    apt() {
        apt-get -q -o APT::Architecture=i386 -o APT::Architectures=i386 -o APT::Sandbox::User= \
            -o Dir::State::Lists="$PWD/lists" -o Dir::State::Status=/dev/null \
            -o Dir::Cache="$PWD/cache" -o Dir::Etc::SourceList="$PWD/sources.list" \
            -o Dir::Etc::SourceParts=/dev/null "$@"
    }
    apt update
    apt download "$package=$version"
    dpkg -x ./*.deb root
    touch complete
)
std=$out/std/$version
[ -e "$std/complete" ] || fetch "$std"

# The dynamic linker and the C library of Debian's cross compiler; no program uses them by default.
libraries=/usr/$gnu/lib
interpreter=-Wl,--dynamic-linker=$libraries/ld-linux.so.2
run_path=-Wl,-rpath,$libraries
export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc
export CARGO_BUILD_TARGET=$target CARGO_TARGET_DIR="$out"
export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=$gnu-gcc
export RUSTFLAGS="-D warnings -L $std/root/usr/lib/rustlib/$target/lib \
-C link-arg=$interpreter -C link-arg=$run_path"
export CC=$gnu-gcc CXX=$gnu-g++ AR=$gnu-ar OBJCOPY=$gnu-objcopy READELF=$gnu-readelf

make -s
"$CARGO" build --locked --lib --bins --tests
# The original's archive is for this machine.
export LIBFCGI_DIST="$out/dist" LDFLAGS="$interpreter $run_path"
"$CARGO" test --locked --test archive -- --skip the_original_s
"$CARGO" test --locked --test abi -- structs_are exported_names static_library
"$CARGO" test --locked --test cxx the_static_library
