#!/usr/bin/env bash
# Prints the time of all files of a release, in seconds since 1970: SOURCE_DATE_EPOCH, or the time of the last commit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
echo "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
