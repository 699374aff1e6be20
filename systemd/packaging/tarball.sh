#!/usr/bin/env bash
# Makes an archive of a built worker for /usr/local: tarball.sh PROGRAM DIRECTORY. Prints the path of the archive.
# The same program gives the same bytes.
set -euo pipefail
umask 022
program="$(realpath "$1")"
output="$(mkdir -p "$2" && realpath "$2")"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version="$("$program" --version | awk '{ print $2 }')"
name="prefect-worker-$version-linux-$(dpkg --print-architecture)"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
systemd/packaging/stage.sh "$program" "$root" /usr/local
mv "$root/usr/local" "$root/$name"
mv "$root/etc" "$root/$name/etc"
for file in run.sh hello.py; do install -D -m 755 "examples/quickstart/$file" "$root/$name/examples/quickstart/$file"; done
archive="$output/$name.tar.gz"
systemd/packaging/archive.sh "$root" "$name" >"$archive"
echo "$archive"
