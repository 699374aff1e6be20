#!/usr/bin/env bash
# Writes a compressed archive of an entry of a directory to the standard output: archive.sh DIRECTORY ENTRY [OPTION...].
# The options are for tar. The same files with the same modes give the same bytes.
set -euo pipefail
directory="$(realpath "$1")" entry="$2"
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tar -C "$directory" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu \
  --mtime="@$(systemd/packaging/epoch.sh)" "$@" -c "$entry" | gzip -n
