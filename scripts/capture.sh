#!/bin/sh
# Takes the captures of fuzz/captures anew: what the web servers of docs/web-servers.md send to an
# application, and what it answers. Usage: scripts/capture.sh
#
# As root, it installs the web servers that are missing. CARGO_TARGET_DIR is cargo's.
set -eu

cd "$(dirname "$0")/.."
scripts/deps.sh install check
make -s all
for directory in requests answers params; do
    rm -rf "fuzz/captures/$directory"
    mkdir -p "fuzz/captures/$directory"
done
"${CARGO:-cargo}" test --locked --test captures -- --ignored --exact record::record
# What was taken is what the other tests of that file expect.
"${CARGO:-cargo}" test --locked --test captures
