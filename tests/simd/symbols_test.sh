#!/bin/sh
# The units of src/simd/ that are compiled for an instruction set define no weak function: the linker could take it for
# the whole program, and a lesser processor would stop at it (src/simd/units.h).
# Usage: symbols_test.sh NM OBJECT...
set -eu

nm=$1
shift
checked=0
bad=0
for object in "$@"; do
  case ${object##*/} in
    *sse42.* | *avx2.* | *avx512.* | *avx512_vnni.* | *neon.*) ;;
    *) continue ;;
  esac
  checked=$((checked + 1))
  weak=$("$nm" -C --defined-only "$object" | grep ' [Wu] ' || true)
  if [ -n "$weak" ]; then
    printf '%s defines weak functions:\n%s\n' "$object" "$weak" >&2
    bad=1
  fi
done
if [ "$checked" -eq 0 ]; then
  echo "no unit of an instruction set among the objects: $*" >&2
  exit 1
fi
exit "$bad"
