#!/usr/bin/env bash
# Makes a Debian package of a built worker: build.sh PROGRAM DIRECTORY. Prints the path of the package.
# The same program gives the same bytes, because dpkg-deb takes the time of all files from SOURCE_DATE_EPOCH.
set -euo pipefail
umask 022
program="$(realpath "$1")"
output="$(mkdir -p "$2" && realpath "$2")"
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
SOURCE_DATE_EPOCH="$(systemd/packaging/epoch.sh)"
export SOURCE_DATE_EPOCH

# Debian sorts 1.0.0~rc.1 before 1.0.0.
version="$("$program" --version | awk '{ sub("-", "~", $2); print $2 }')"
architecture="$(dpkg --print-architecture)"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
systemd/packaging/stage.sh "$program" "$root" /usr

# dpkg-shlibdeps finds the packages of the libraries that the program is linked against.
mkdir -p "$root/debian"
printf 'Source: prefect-worker\n\nPackage: prefect-worker\nArchitecture: any\n' >"$root/debian/control"
depends="$(cd "$root" && dpkg-shlibdeps -O usr/bin/prefect-worker 2>/dev/null | sed -n 's/^shlibs:Depends=//p')"
rm -r "$root/debian"
# The sizes of the files in KiB, as Debian counts them: those of `du` depend on the file system.
size="$(find "$root" -type f -printf '%s\n' | awk '{ total += int(($1 + 1023) / 1024) } END { print total }')"

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: prefect-worker
Version: $version
Architecture: $architecture
Maintainer: The prefect-worker authors <prefect-worker@localhost>
Installed-Size: $size
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
for script in postinst prerm postrm; do install -m 755 "systemd/packaging/debian/$script" "$root/DEBIAN/$script"; done

package="$output/prefect-worker_${version}_$architecture.deb"
dpkg-deb --root-owner-group -Zxz -z3 --build "$root" "$package" >&2
echo "$package"
