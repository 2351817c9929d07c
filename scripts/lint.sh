#!/usr/bin/env bash
# Usage: scripts/lint.sh format             fails on C++ files that clang-format would change
#        scripts/lint.sh fix                lays them out
#        scripts/lint.sh tidy FOLDER [JOBS] clang-tidy over src, tools and examples by FOLDER/compile_commands.json
# CLANG_FORMAT and CLANG_TIDY name the tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cpp_files() {
  find include src tests tools examples bench -type f \( -name '*.h' -o -name '*.cc' -o -name '*.cpp' \) -print0 |
    sort -z
}

case ${1:-} in
  format)
    cpp_files | xargs -0 "${CLANG_FORMAT:-clang-format}" --dry-run --Werror
    ;;
  fix)
    cpp_files | xargs -0 "${CLANG_FORMAT:-clang-format}" -i
    ;;
  tidy)
    folder=${2:?usage: scripts/lint.sh tidy FOLDER [JOBS]}
    # Only what the build compiles: a source for another processor has no command in the database.
    mapfile -t sources < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$folder/compile_commands.json" |
      grep -E "^$PWD/(src|tools|examples)/" | sort -u)
    if [[ ${#sources[@]} -eq 0 ]]; then
      echo "lint: $folder/compile_commands.json names no source; configure it first" >&2
      exit 1
    fi
    # The count of what was found in the system's headers and left out is of no use.
    printf '%s\0' "${sources[@]}" |
      xargs -0 -n 1 -P "${3:-$(nproc)}" "${CLANG_TIDY:-clang-tidy}" --quiet --warnings-as-errors='*' -p "$folder" \
        2> >(grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? generated' >&2)
    ;;
  *)
    echo "usage: scripts/lint.sh format | fix | tidy FOLDER [JOBS]" >&2
    exit 2
    ;;
esac
