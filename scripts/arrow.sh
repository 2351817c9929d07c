#!/usr/bin/env bash
# Prints the flags of CMake that build the tool's module for Parquet files. Fetches Apache Arrow, as the Python package
# pyarrow, from PyPI to ${ISOTHERM_CACHE:-~/.cache/isotherm} once per user: 50 MB. Where there is none for this machine
# it says so and turns the module off, also where it was built before: its tests are skipped.
set -euo pipefail

version=26.0.1

cache=${ISOTHERM_CACHE:-${HOME:?}/.cache/isotherm}
folder=$cache/pyarrow-$version

say() { printf 'arrow: %s\n' "$*" >&2; }

if [[ ! -d $folder ]]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/pyarrow.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  say "fetching Apache Arrow (pyarrow $version)"
  if ! python3 -m venv "$work/venv" >&2 ||
    ! "$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --only-binary :all: \
      --target "$work/packages" "pyarrow==$version" >&2; then
    say "there is no pyarrow $version to be had: the module for Parquet files is not built, and not tested"
    printf '%s\n' "-DISOTHERM_PARQUET=OFF"
    exit 0
  fi
  # Somebody else may have been faster.
  mv -T "$work/packages" "$folder" 2>/dev/null || [[ -d $folder ]]
fi
printf '%s\n' "-DISOTHERM_PARQUET=ON -DPYARROW_DIR=$folder/pyarrow"
