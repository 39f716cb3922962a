#!/bin/bash
# `make parity`: its parts and its tables, with programs in place of Python and of make.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

mkdir -p "$work/venv/bin" "$work/said"
cp tests/parity/requirements.txt "$work/venv/installed"
cat >"$work/venv/bin/python" <<'END'
#!/bin/bash
file=${0%/venv/*}/said/$(basename "$1" .py)
cat "$file"
! grep -q '1 failed\|Traceback' "$file"
END
printf '#!/bin/sh\n' >"$work/make"
chmod +x "$work/venv/bin/python" "$work/make"

script_says() { cat >"$work/said/check_$1"; } # PART: what its script prints, from stdin
parity() { # EXPECTED-STATUS PART...
	env PATH="$work:$PATH" VENV="$work/venv" LOGS="$work/logs" PEFTBENCH_DATA="$work" tests/parity/run.sh "${@:2}" \
		>"$work/out" 2>"$work/err"
	is "$?" "$1"
}
summary_has() { grep -qE -- "$1" "$work/logs/summary"; }

script_says models <<'END'
ok     bert   2.1e-06
models: 3 passed, 0 failed, 1 refused, 0 skipped, worst 2.1e-06
END
script_says gguf <<'END'
gguf: 19 passed, 0 failed
Traceback (most recent call last):
END
script_says adapters <<'END'
method dora: read 9.0e-06
method dora: read inf
method dora: read 9.9e-05
adapters: 1 passed, 1 failed, 2 refused, 3 skipped, worst inf
END
script_says training <<'END'
method lora: logits 2.7e-13, loss 2.1e-14, gradients 9.0e-13, 20 steps 1.0e-13
method lora: logits 1.8e-12, loss 2.1e-15, gradients 3.0e-13, 20 steps 3.0e-13
training: 2 passed, 0 failed, 0 refused, 0 skipped, worst 1.8e-12
END
script_says fields <<'END'
241 rows
END

ok 'parts that pass' parity 0 models training stories
ok 'what they have said' prints '^ok     bert   2.1e-06$'
ok 'a part in the table' summary_has '^models +3 +0 +1 +0 +2.1e-06 +[0-9]+$'
ok 'a part without its data' summary_has '^stories +not run: PEFTBENCH_DATA has no stories260k$'
ok 'the worst differences of a method' summary_has '^lora +- +- +1.8e-12 +2.1e-14 +9.0e-13 +3.0e-13$'
ok 'the tables end the output' eval 'tail -n 6 "$work/out" | cmp - <(tail -n 6 "$work/logs/summary")'

ok 'parts that fail' parity 1 gguf adapters models
ok 'a part that broke after its count' summary_has '^gguf +19 +1 +0 +0 +- +[0-9]+$'
ok 'a part with a difference' summary_has '^adapters +1 +1 +2 +3 +inf +[0-9]+$'
ok 'the part after them' summary_has '^models +3 +0 '
ok 'what is no number is the worst' summary_has '^dora +inf '
ok 'a part that has compared nothing' parity 1 fields
ok 'has failed' summary_has '^fields +0 +1 '

ok 'an unknown part' parity 2 model
ok 'is named' says "no part 'model'; want some of: fields"
finish
