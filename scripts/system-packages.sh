#!/usr/bin/env bash
# Installs from Debian what some tests use beside npm's packages, where it is missing: a browser for the pages, and what the
# examples in Python import. Without the right to install it says what is missing; those tests then fail or are skipped.
set -euo pipefail

missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v b3sum > /dev/null || missing+=(b3sum)
# Debian's own: another python3 in the path does not see these
/usr/bin/python3 -c 'import ecdsa' 2> /dev/null || missing+=(python3-ecdsa)
/usr/bin/python3 -c 'import Cryptodome' 2> /dev/null || missing+=(python3-pycryptodome)
[ "${#missing[@]}" = 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then as_root=(); elif command -v sudo > /dev/null; then as_root=(sudo -n); else
  echo "not installed, and no right to: ${missing[*]}" >&2
  exit 0
fi
"${as_root[@]}" apt-get update -qq || true
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
  echo "could not be installed: ${missing[*]}" >&2
