#!/bin/sh
# Make ./configure out of configure.ac. Needs autoconf, automake and pkg-config.
set -eu
cd "$(dirname "$0")"
for tool in autoreconf automake pkg-config; do
	command -v "$tool" >/dev/null || {
		echo "autogen.sh: $tool is missing (Debian: apt-get install autoconf automake pkg-config)" >&2
		exit 1
	}
done
mkdir -p m4 build-aux
autoreconf --install --force --warnings=all
echo "Now run ./configure (try --help), then make."
