#!/usr/bin/env bash
# Adds packages to a repository for apt, and makes its indexes again: repository.sh REPOSITORY PACKAGE.deb...
# DIST_KEY names a secret key of GPG, which signs the repository. `apt` refuses a repository without a signature.
set -euo pipefail
umask 022
repository="$(mkdir -p "$1/pool" && realpath "$1")"
shift
# apt-ftparchive finds the packages of an architecture by the ends of their names.
for package in "$@"; do
  name="$(dpkg-deb --show --showformat '${Package}_${Version}_${Architecture}.deb' "$package")"
  install -m 644 "$package" "$repository/pool/$name"
done

cd "$repository"
suite=dists/stable
rm -rf "$suite"
architectures="$(for package in pool/*.deb; do dpkg-deb --field "$package" Architecture; done | sort -u | xargs)"
for architecture in $architectures; do
  folder="$suite/main/binary-$architecture"
  mkdir -p "$folder"
  apt-ftparchive --arch "$architecture" packages pool >"$folder/Packages"
  gzip -9nk "$folder/Packages"
done
setting() { echo "-oAPT::FTPArchive::Release::$1=$2"; }
apt-ftparchive "$(setting Origin prefect-worker)" "$(setting Label prefect-worker)" "$(setting Suite stable)" \
  "$(setting Codename stable)" "$(setting Components main)" "$(setting Architectures "$architectures")" \
  release "$suite" >.Release
mv .Release "$suite/Release"
if [[ -n ${DIST_KEY:-} ]]; then
  sign=(gpg --batch --yes --local-user "$DIST_KEY")
  "${sign[@]}" --armor --detach-sign --output "$suite/Release.gpg" "$suite/Release"
  "${sign[@]}" --clearsign --output "$suite/InRelease" "$suite/Release"
  gpg --batch --yes --output prefect-worker.gpg --export "$DIST_KEY"
else
  echo "The repository is not signed, because DIST_KEY names no secret key of GPG" >&2
fi
echo "$repository"
