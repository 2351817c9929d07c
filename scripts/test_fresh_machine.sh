#!/usr/bin/env bash
# Runs `make demo` and `make test` from a fresh clone on a Debian that has nothing but git and make.
# Usage: scripts/test_fresh_machine.sh [--suite NAME] [--sudo] [--working-tree] [--keep] [COMMAND...]
#   --suite NAME     release of Debian; bookworm unless told otherwise
#   --sudo           as a user who may use sudo, instead of root
#   --working-tree   copy the tree as it is, with what is not committed, instead of cloning HEAD
#   --keep           leave the machine's folder for a look
#   COMMAND...       instead of "make demo" and "make test"; each runs in bash in the clone
# Needs root (for chroot). The mirror, proxies and certificate authorities are the host's own.
set -euo pipefail

suite=bookworm
as_user=root
working_tree=no
keep=no
commands=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --suite) suite=${2:?--suite needs a name} && shift ;;
    --sudo) as_user=builder ;;
    --working-tree) working_tree=yes ;;
    --keep) keep=yes ;;
    -*) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) commands+=("$1") ;;
  esac
  shift
done
[[ ${#commands[@]} -gt 0 ]] || commands=("make demo" "make test")

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[[ $(id -u) -eq 0 ]] || {
  echo "test_fresh_machine: needs root" >&2
  exit 1
}
command -v debootstrap >/dev/null ||
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends debootstrap </dev/null

machine=$(mktemp -d -t isotherm-machine.XXXXXX)
clean_up() {
  # The mounts went with their namespace; --one-file-system in case the host's /dev ever is still below.
  [[ $keep == yes ]] || rm -rf --one-file-system "$machine"
}
trap clean_up EXIT
chmod 755 "$machine"

# The first Debian mirror that this host's apt uses, none of its other sources; else debootstrap's own default.
mirror=$({ apt-get indextargets --format '$(SITE) $(ORIGIN)' 2>/dev/null || true; } |
  sed -n '/-security/!s/ Debian$//p' | sed -n 1p)
packages=git,make,ca-certificates
[[ $as_user == root ]] || packages+=,sudo
echo "== a bare $suite in $machine"
debootstrap --variant=minbase --include="$packages" "$suite" "$machine" ${mirror:+"$mirror"} >"$machine.log" 2>&1 || {
  tail -20 "$machine.log" >&2
  exit 1
}
rm -f "$machine.log"

# How this host reaches the outside, where that takes more than a name server.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/npmrc; do
  [[ ! -f $file ]] || cp --remove-destination "$file" "$machine$file"
done
if compgen -G "/usr/local/share/ca-certificates/*.crt" >/dev/null; then
  cp /usr/local/share/ca-certificates/*.crt "$machine/usr/local/share/ca-certificates/"
  chroot "$machine" update-ca-certificates >/dev/null 2>&1
fi
{ grep -lsE '^[^/#]*Acquire::(https?::|)Proxy|Acquire::Check-' /etc/apt/apt.conf /etc/apt/apt.conf.d/* || true; } |
  while read -r file; do cp "$file" "$machine/etc/apt/apt.conf.d/"; done
passed_on=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY GOPROXY GOSUMDB GOFLAGS SSL_CERT_FILE \
  PIP_INDEX_URL PIP_CERT NODE_EXTRA_CA_CERTS; do
  [[ -z ${!name:-} ]] || passed_on+=("$name=${!name}")
done

if [[ $as_user != root ]]; then
  chroot "$machine" useradd --create-home --shell /bin/bash "$as_user"
  echo "$as_user ALL=(ALL) NOPASSWD: ALL" >"$machine/etc/sudoers.d/$as_user"
fi
home=$(chroot "$machine" getent passwd "$as_user" | cut -d: -f6)
clone=$machine$home/isotherm
if [[ $working_tree == yes ]]; then
  mkdir "$clone"
  git -C "$repository" ls-files -z --cached --others --exclude-standard |
    tar -C "$repository" --null --ignore-failed-read -cf - -T - | tar -C "$clone" -xf -
else
  git clone -q --no-hardlinks "$repository" "$clone"
fi
chroot "$machine" chown -R "$as_user:$as_user" "$home/isotherm"

# In a mount namespace of its own, so that nothing stays mounted however this ends.
inside=""
for command in "${commands[@]}"; do
  inside+="echo '== $command'; SECONDS=0; $command; echo \"== done in \$SECONDS s\"; "
done
unshare --mount --propagation private bash -euo pipefail -c '
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  machine=$1 as_user=$2 home=$3 inside=$4
  shift 4
  exec chroot --userspec="$as_user:$as_user" "$machine" /usr/bin/env -i \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" USER="$as_user" LANG=C.UTF-8 \
    TERM=dumb "$@" bash -euo pipefail -c "cd $home/isotherm; $inside"
' fresh_machine "$machine" "$as_user" "$home" "$inside" "${passed_on[@]}" </dev/null
echo "== passed"
