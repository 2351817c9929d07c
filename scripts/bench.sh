#!/usr/bin/env bash
# Runs every benchmark in a build folder. Usage: scripts/bench.sh FOLDER [NAME_PATTERN]
set -euo pipefail
folder=${1:?usage: scripts/bench.sh FOLDER [NAME_PATTERN]}
pattern=${2:-*}
found=no
for program in "$folder"/$pattern; do
  if [[ -f $program && -x $program ]]; then
    found=yes
    echo "== $(basename "$program")"
    "$program"
  fi
done
if [[ $found == no ]]; then
  echo "bench: no program in $folder matches $pattern" >&2
  exit 1
fi
