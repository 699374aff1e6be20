#!/bin/sh
# Executes its arguments, like the entrypoint of Prefect's own image, whose charts call it at /opt/prefect/entrypoint.sh.
set -e

# A read-only root has no place for packages except the volume of HOME.
if [ -n "${EXTRA_PIP_PACKAGES:-}" ]; then
  if command -v pip >/dev/null; then
    packages="${PREFECT_HOME:-$HOME/.prefect}/packages"
    echo "Installing EXTRA_PIP_PACKAGES into $packages" >&2
    # The value is a list of words.
    # shellcheck disable=SC2086
    pip install --no-cache-dir --disable-pip-version-check --target "$packages" $EXTRA_PIP_PACKAGES >&2
    export PYTHONPATH="$packages${PYTHONPATH:+:$PYTHONPATH}"
  else
    echo "EXTRA_PIP_PACKAGES has no effect: this image has no Python; use prefect-worker:python" >&2
  fi
fi

# In the image with Python, `prefect` on PATH is Prefect's own program, which flows need. The worker is this one.
if [ "$1 $2" = "prefect worker" ]; then
  shift
  exec prefect-worker "$@"
fi
if [ $# -eq 0 ]; then exec /bin/sh; fi
exec "$@"
