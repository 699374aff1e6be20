#!/usr/bin/env bash
# Makes a Debian package of a built worker: build.sh PROGRAM DIRECTORY. Prints the path of the package.
set -euo pipefail
program="$(realpath "$1")"
output="$(mkdir -p "$2" && realpath "$2")"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version="$("$program" --version | awk '{ print $2 }')"
architecture="$(dpkg --print-architecture)"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install -D -m 755 "$program" "$root/usr/bin/prefect-worker"
strip "$root/usr/bin/prefect-worker"
for unit in systemd/*.service; do install -D -m 644 "$unit" "$root/lib/systemd/system/${unit##*/}"; done
install -D -m 644 systemd/sysusers.d/prefect-worker.conf "$root/usr/lib/sysusers.d/prefect-worker.conf"
install -D -m 644 systemd/tmpfiles.d/prefect-worker.conf "$root/usr/lib/tmpfiles.d/prefect-worker.conf"
install -D -m 644 systemd/worker.toml "$root/etc/prefect-worker/worker.toml"
install -D -m 640 systemd/environment "$root/etc/prefect-worker/environment"
install -D -m 644 systemd/prefect-worker.1 "$root/usr/share/man/man1/prefect-worker.1"
gzip -9n "$root/usr/share/man/man1/prefect-worker.1"
completion() { mkdir -p "$(dirname "$root/$2")"; "$program" --generate-completion-script "$1" >"$root/$2"; }
completion bash usr/share/bash-completion/completions/prefect-worker
completion zsh usr/share/zsh/vendor-completions/_prefect-worker
completion fish usr/share/fish/vendor_completions.d/prefect-worker.fish
install -D -m 644 LICENSE "$root/usr/share/doc/prefect-worker/copyright"
install -D -m 644 NOTICE "$root/usr/share/doc/prefect-worker/NOTICE"

# dpkg-shlibdeps finds the packages of the libraries that the program is linked against.
mkdir -p "$root/debian"
printf 'Source: prefect-worker\n\nPackage: prefect-worker\nArchitecture: any\n' >"$root/debian/control"
depends="$(cd "$root" && dpkg-shlibdeps -O usr/bin/prefect-worker 2>/dev/null | sed -n 's/^shlibs:Depends=//p')"
rm -r "$root/debian"

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: prefect-worker
Version: $version
Architecture: $architecture
Maintainer: The prefect-worker authors <prefect-worker@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends, systemd | systemd-standalone-sysusers, ca-certificates
Recommends: python3
Section: utils
Priority: optional
Description: native worker for Prefect 3
 Polls the work pools of a Prefect server or of Prefect Cloud, launches their flow
 runs as processes, systemd units, Docker containers or Kubernetes jobs, and watches
 them to their end. Takes the place of "prefect worker start".
CONTROL
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "systemd/debian/$script" "$root/DEBIAN/$script"; done

package="$output/prefect-worker_${version}_$architecture.deb"
dpkg-deb --root-owner-group --build "$root" "$package" >&2
echo "$package"
