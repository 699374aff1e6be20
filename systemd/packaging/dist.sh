#!/usr/bin/env bash
# Makes the files of a release from a built worker: dist.sh PROGRAM DIRECTORY [IMAGE].
# IMAGE is a container image to archive. DIST_KEY names a secret key of GPG, which signs the list of checksums.
set -euo pipefail
umask 022
program="$(realpath "$1")"
output="$2"
image="${3:-}"
rm -rf "$output" && mkdir -p "$output" && output="$(realpath "$output")"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

systemd/packaging/tarball.sh "$program" "$output"
systemd/packaging/debian/build.sh "$program" "$output"
version="$("$program" --version | awk '{ print $2 }')"
name="prefect-worker-$version-linux-$(dpkg --print-architecture)"
SOURCE_DATE_EPOCH="$(systemd/packaging/epoch.sh)" systemd/packaging/components.py sbom "$program" >"$output/$name.cdx.json"
echo "$output/$name.cdx.json"
# The same file as `helm package` makes, apart from times.
chart="$output/prefect-worker-$version.tgz"
systemd/packaging/archive.sh examples/helm prefect-worker --mode=u=rwX,go=rX >"$chart"
echo "$chart"
if [[ -n $image ]]; then
  docker tag "$image" "prefect-worker:$version"
  docker save "prefect-worker:$version" | gzip -n >"$output/$name.image.tar.gz"
  echo "$output/$name.image.tar.gz"
fi

cd "$output"
sha256sum -- * >.SHA256SUMS && mv .SHA256SUMS SHA256SUMS
echo "$output/SHA256SUMS"
if [[ -n ${DIST_KEY:-} ]]; then
  gpg --batch --yes --local-user "$DIST_KEY" --armor --detach-sign SHA256SUMS
  echo "$output/SHA256SUMS.asc"
else
  echo "SHA256SUMS is not signed, because DIST_KEY names no secret key of GPG" >&2
fi
