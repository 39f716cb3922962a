#!/bin/bash
# verify: a line a check, compositions and settings too.  (Every method: tests/verify/test_method.c.)
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
ok 'verify' run 0 verify 'ia3+lora:rank=2'
ok 'a line a check' prints '^ok +ia3\+lora:rank=2 +decoder +cached decoding$'
ok 'with the others' prints '^ok +ia3\+lora:rank=2 +encoder +works with [0-9]+ other methods$'
ok 'verify: no such method' run 2 verify lorra
ok 'its message' says "no method 'lorra'"
ok 'verify: no such setting' run 2 verify lora:rnk=2

finish
