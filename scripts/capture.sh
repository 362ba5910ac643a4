#!/bin/sh
# Captures fuzz/captures again: what the web servers of docs/web-servers.md send to an application, and what
# it answers. Usage: scripts/capture.sh
#
# As root, installs the web servers that are missing. CARGO_TARGET_DIR means the same as for cargo.
set -eu

cd "$(dirname "$0")/.."
scripts/deps.sh install check
make -s all
for directory in requests answers params; do
    rm -rf "fuzz/captures/$directory"
    mkdir -p "fuzz/captures/$directory"
done
"${CARGO:-cargo}" test --locked --test captures -- --ignored --exact record::record
# The other tests of that file check the new captures.
"${CARGO:-cargo}" test --locked --test captures
