#!/bin/sh
# Makes a virtual environment with tests/parity/requirements.txt (a large download), unless it is there already.
#
#   tests/parity/venv.sh DIR
set -eu
wanted=$(dirname "$0")/requirements.txt
cmp -s "$1/installed" "$wanted" && exit
python3 -m venv "$1"
"$1/bin/pip" install --quiet -r "$wanted"
cp "$wanted" "$1/installed"
