#!/bin/bash
# Prints the version of this tree: that of its tag, or else what sorts before any release.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null); then
	echo "${tag#v}"
elif stamp=$(git log -1 --format=%cd.%h --date=format:%Y%m%d 2>/dev/null); then
	echo "0~git$stamp"
else
	echo "0~devel"
fi
