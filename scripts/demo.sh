#!/bin/sh
# Sends one request to a FastCGI program, set up as a user would do it.
#
# Usage: scripts/demo.sh BUILDDIR
set -eu

build=$1
dir=$(mktemp -d)

# Prints the ids of the processes that run our echo; the file is in our own directory.
echo_processes() {
    for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/exe" 2>/dev/null)" = "$dir/echo" ]; then
            echo "${process#/proc/}"
        fi
    done
}

clean_up() {
    for pid in $(echo_processes); do
        kill -KILL "$pid" || true
    done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

say() {
    printf '\n== %s\n' "$1"
}

say "install the library under a temporary prefix"
make -s install BUILDDIR="$build" PREFIX="$dir/usr"

say "compile examples-c/echo.c against it"
make -C examples-c OUT="$dir" PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig" "$dir/echo"

export LD_LIBRARY_PATH="$dir/usr/lib"
say "start it on a unix socket"
"$dir/usr/bin/cgi-fcgi" -start -connect "$dir/echo.sock" "$dir/echo"

say "send a request; its response:"
# With an empty environment: cgi-fcgi sends all variables as parameters.
printf 'name=world' | env -i \
    SERVER_PROTOCOL=HTTP/1.1 REQUEST_METHOD=POST REQUEST_URI=/echo SCRIPT_NAME=/echo \
    CONTENT_TYPE=application/x-www-form-urlencoded CONTENT_LENGTH=10 \
    timeout 10 "$dir/usr/bin/cgi-fcgi" -bind -connect "$dir/echo.sock"

echo
say "stop it"
for pid in $(echo_processes); do
    kill "$pid"
    timeout 10 tail --pid="$pid" --sleep-interval=0.1 --follow /dev/null
done
