#!/usr/bin/env bash
# Runs every fuzz target in a build folder, one after the other, for an equal share of the time.
# Usage: scripts/fuzz.sh FOLDER SECONDS
# Checked-in inputs come from tests/fuzz/corpus/<target>; what is found beside them stays in FOLDER/corpus/<target>.
set -euo pipefail
folder=${1:?usage: scripts/fuzz.sh FOLDER SECONDS}
seconds=${2:?usage: scripts/fuzz.sh FOLDER SECONDS}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

targets=()
for target in "$folder"/*_fuzz; do
  [[ -x $target ]] && targets+=("$target")
done
if [[ ${#targets[@]} -eq 0 ]]; then
  echo "fuzz: no target in $folder" >&2
  exit 1
fi

share=$((seconds / ${#targets[@]}))
share=$((share > 0 ? share : 1))
for target in "${targets[@]}"; do
  name=$(basename "$target")
  found=$folder/corpus/$name
  mkdir -p "$found"
  seeds=()
  [[ -d $root/tests/fuzz/corpus/$name ]] && seeds=("$root/tests/fuzz/corpus/$name")
  echo "fuzz: $name for $share s"
  log=$folder/$name.log
  if ! "$target" -max_total_time="$share" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=64 \
    -print_final_stats=1 -artifact_prefix="$folder/$name-" "$found" "${seeds[@]}" >"$log" 2>&1; then
    tail -60 "$log" >&2
    echo "fuzz: $name failed; the input is beside $log" >&2
    exit 1
  fi
  grep -E 'number_of_executed_units|new_units_added' "$log" || true
done
