#!/bin/sh
# Cross-compiles src/simd/ and its tests for AArch64 and runs them under qemu's user emulation: the NEON kernels on a
# machine without them. Installs nothing; says what is missing. Objects stay in build/neon.
set -eu
cd "$(dirname "$0")/.."

cxx=aarch64-linux-gnu-g++
emulator=qemu-aarch64-static
googletest=/usr/src/googletest/googletest
out=build/neon

missing=
command -v $cxx >/dev/null || missing="$missing g++-aarch64-linux-gnu"
command -v $emulator >/dev/null || missing="$missing qemu-user-static"
[ -f $googletest/src/gtest-all.cc ] || missing="$missing googletest"
if [ -n "$missing" ]; then
  echo "missing packages (Debian, Ubuntu):$missing" >&2
  echo "install them: apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi

mkdir -p $out
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror"
objects=
# compile MADE_FROM SOURCE FLAG...: unless the object is newer than its source and everything in MADE_FROM.
compile() {
  made_from=$1
  source=$2
  shift 2
  object=$out/$(echo "$source" | tr / _).o
  objects="$objects $object"
  # shellcheck disable=SC2086
  if [ -f "$object" ] && [ -z "$(find $made_from "$source" -newer "$object")" ]; then
    return
  fi
  echo "compiling $source"
  $cxx -std=c++20 -O3 "$@" -c "$source" -o "$object"
}

for source in $googletest/src/gtest-all.cc $googletest/src/gtest_main.cc; do
  compile "" "$source" -I$googletest -I$googletest/include
done
for source in src/simd/*.cc tests/simd/*_test.cc; do
  # shellcheck disable=SC2086
  compile "src/simd tests/simd" "$source" $warnings -Isrc -I. -isystem $googletest/include
done
# shellcheck disable=SC2086
# The C library warns that googletest looks up hosts, which it does only when told to stream its results.
$cxx -static -Wl,--no-warnings $objects -o $out/simd_test
tests/simd/symbols_test.sh aarch64-linux-gnu-nm $out/src_simd_*.o

# Left out: the levels of other processors, and the tests that start their own program again, which the emulator does
# not follow.
filter='-EnvironmentTest.*:*/avx*:*/sse*'
if ! $emulator $out/simd_test --gtest_filter="$filter" >$out/simd_test.log 2>&1; then
  cat $out/simd_test.log >&2
  exit 1
fi
count=$(grep -c '^\[       OK \] .*/neon ' $out/simd_test.log || true)
if [ "$count" -eq 0 ]; then
  echo "no NEON test ran" >&2
  exit 1
fi
tail -n 2 $out/simd_test.log
echo "NEON: $count tests passed under $emulator"
