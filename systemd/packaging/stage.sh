#!/usr/bin/env bash
# Puts the files of a release below a directory, as they are on a machine: stage.sh PROGRAM DIRECTORY PREFIX.
# PREFIX is /usr or /usr/local. The configuration is in /etc/prefect-worker, because the units read it there.
set -euo pipefail
umask 022
program="$(realpath "$1")"
root="$(realpath "$2")"
prefix="$3"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

put() { install -D -m "$1" "$2" "$root$3"; }
put 755 "$program" "$prefix/bin/prefect-worker"
strip "$root$prefix/bin/prefect-worker"
for unit in systemd/*.service; do
  put 644 "$unit" "$prefix/lib/systemd/system/${unit##*/}"
  sed -i "s,/usr/bin/prefect-worker,$prefix/bin/prefect-worker," "$root$prefix/lib/systemd/system/${unit##*/}"
done
for kind in sysusers.d tmpfiles.d; do put 644 "systemd/$kind/prefect-worker.conf" "$prefix/lib/$kind/prefect-worker.conf"; done
put 644 systemd/worker.toml /etc/prefect-worker/worker.toml
put 640 systemd/environment /etc/prefect-worker/environment
put 644 systemd/prefect-worker.1 "$prefix/share/man/man1/prefect-worker.1"
gzip -9n "$root$prefix/share/man/man1/prefect-worker.1"

zsh=site-functions
if [[ $prefix == /usr ]]; then zsh=vendor-completions; fi
completion() {
  mkdir -p "$(dirname "$root$prefix/share/$2")"
  "$program" --generate-completion-script "$1" >"$root$prefix/share/$2"
}
completion bash bash-completion/completions/prefect-worker
completion zsh "zsh/$zsh/_prefect-worker"
completion fish fish/vendor_completions.d/prefect-worker.fish

put 644 LICENSE "$prefix/share/doc/prefect-worker/copyright"
put 644 NOTICE "$prefix/share/doc/prefect-worker/NOTICE"
put 644 CHANGELOG.md "$prefix/share/doc/prefect-worker/CHANGELOG.md"
systemd/packaging/components.py notices "$program" >"$root$prefix/share/doc/prefect-worker/NOTICE.libraries"
