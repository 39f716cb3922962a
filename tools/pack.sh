#!/bin/sh
# Writes results/NAME.db.xz, from which `make figures` draws: a brief copy of results/NAME.db.
#   tools/pack.sh NAME..
set -eu
cd "$(dirname "$0")/.."
program=${PEFTBENCH:-build/peftbench}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name; do
	"$program" merge --brief "$work/$name.db" "results/$name.db"
	xz -6 -c "$work/$name.db" >"$work/packed"
	mv "$work/packed" "results/$name.db.xz"
done
