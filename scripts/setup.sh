#!/usr/bin/env bash
# Installs the distribution's packages that a step needs, and does nothing when they are there.
# Usage: scripts/setup.sh [build|test|lint|cross]...   (default: build)
# Written for Debian 12 and newer and Ubuntu 24.04 and newer; run as root, or as a user who may use sudo.
set -euo pipefail

# CMake 3.25 and a C++20 compiler are the oldest that work; ccache and mold only make builds faster.
build_packages=(
  g++ cmake ninja-build pkg-config git ca-certificates ccache mold
  "libcurl4-openssl-dev|libcurl4-gnutls-dev" libssl-dev libxxhash-dev libroaring-dev zlib1g-dev libcli11-dev
  nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev python3
)
# Python runs the tidiness and README tests; a virtual environment brings the compiler of the test servers.
test_packages=(python3-venv)
cross_packages=(g++-aarch64-linux-gnu "qemu-user-static|qemu-user" googletest)

lists_are_fresh=no

say() { printf 'setup: %s\n' "$*"; }

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# "NAME install status" of the installed ones among the packages given.
installed_among() {
  dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p'
}

available() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

run_apt_get() {
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || fail "needs root or sudo to install packages; as root run: $0 ${modes[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

refresh_lists() {
  [[ $lists_are_fresh == no ]] || return 0
  say "reading the package lists (apt-get update)"
  # One broken source of many must not stop what the others have; a package that is not found is reported below.
  run_apt_get update >/dev/null || say "apt-get update failed at least in part; going on with the lists there are"
  lists_are_fresh=yes
}

# The LLVM of Debian 12 by its version, since the unversioned one there is too old; elsewhere what is current.
add_lint_packages() {
  local version=-16
  if [[ -z $(installed_among clang-16) ]] && ! available clang-16; then
    # Only where apt knows no clang at all were its lists never read.
    available clang || refresh_lists
    available clang-16 || version=""
  fi
  wanted+=("clang$version" "clang-tidy$version" "clang-format$version" "libclang-rt$version-dev")
}

# Of "a|b" the first that the distribution has.
first_available() {
  local name
  for name in ${1//|/ }; do
    if available "$name"; then
      echo "$name"
      return
    fi
  done
  fail "the package sources have no package ${1//|/ or }"
}

modes=("$@")
[[ ${#modes[@]} -gt 0 ]] || modes=(build)

wanted=("${build_packages[@]}")
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "no apt-get here; going on with what is installed. Debian's names: ${wanted[*]} ${test_packages[*]}"
  exit 0
fi
for mode in "${modes[@]}"; do
  case $mode in
    build) ;;
    test) wanted+=("${test_packages[@]}") ;;
    lint) add_lint_packages ;;
    cross) wanted+=("${cross_packages[@]}") ;;
    *) fail "unknown step '$mode'; steps are build, test, lint and cross" ;;
  esac
done

declare -A installed=()
IFS='| ' read -r -a names <<<"${wanted[*]}"
while read -r name; do
  installed[$name]=yes
done < <(installed_among "${names[@]}")

missing=()
for entry in "${wanted[@]}"; do
  for name in ${entry//|/ }; do
    [[ -z ${installed[$name]:-} ]] || continue 2
  done
  missing+=("$entry")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

refresh_lists
to_install=()
for entry in "${missing[@]}"; do
  name=$(first_available "$entry") || exit 1
  to_install+=("$name")
done
say "installing ${to_install[*]}"
# --no-remove: a package that conflicts with an installed one stops here rather than takes the other's place.
run_apt_get install -y --no-install-recommends --no-remove "${to_install[@]}" >"${log:=$(mktemp)}" 2>&1 || {
  cat "$log" >&2
  fail "apt-get install failed"
}
rm -f "$log"
say "done"
