#!/bin/bash
# Compares the engine with transformers, PEFT, tokenizers, sacreBLEU and others: `make parity`.
#
#   tests/parity/run.sh [PART]...     some of the parts, which are listed below; all by default
#
# A part that fails does not stop the others.  At the end there is a table with a line for each part, and one with the worst
# differences of each method of PEFT; both are in LOGS/summary too.  Exit code 1 if a part failed.
#
# VENV         the virtual environment, made if it is not there (build/venv: a large download)
# LOGS         a folder for what the parts print (build/parity)
# MODEL        MiniLM's Hugging Face folder (models/minilm, obtained if it is not there)
# TEXTS        texts for the tokenizers, .txt or .txt.xz (the data sets and the documentation of this repository)
# PEFTBENCH_DATA  if it has sst2/, SST-2's lines go through both tokenizers; if it has stories260k/, that llama2.c checkpoint
#              is compared; if it has e2e/, the metrics are on those texts too
# E2E_METRICS  a checkout of github.com/tuetschek/e2e-metrics: its BLEU, NIST, ROUGE-L and CIDEr are compared too (needs Java)
#
# shellcheck disable=SC2317 # the parts are functions that are called by their names
set -u
cd "$(dirname "$0")/../.." || exit
parts='fields config_fields training models gguf chat metrics stories goldens minilm export generate tokenizers adapters' # the longest last
venv=${VENV:-build/venv}
logs=${LOGS:-build/parity}
data=${PEFTBENCH_DATA:-}
texts=${TEXTS:-$(echo data/*/*.tsv README.md docs/*.md)}
peftbench=${PEFTBENCH:-build/peftbench}
smollm2=models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1

check() { "$venv/bin/python" "tests/parity/check_$1.py" "${@:2}"; }

fields() { check fields; }
config_fields() { check config_fields; }
goldens() { check goldens; }
models() { check models "$peftbench"; }
gguf() { check gguf "$peftbench"; }
adapters() { check adapters "$peftbench"; }
export_() { check export "$peftbench"; }

training() {
	make REAL=double build/double/tests/train/test_{peft,sparse}
	check training "$peftbench" build/double/tests/train/test_{peft,sparse}
}

generate() {
	[ -f "$smollm2" ] || make models/smollm2
	check generate "$peftbench" "$smollm2"
}

chat() {
	[ -f "$smollm2" ] || make models/smollm2
	make build/tests/parity/jinja
	check chat build/tests/parity/jinja "$smollm2"
}

tokenizers() {
	make build/tests/parity/bpe
	# shellcheck disable=SC2086 # a list of files
	check tokenizers "$peftbench" build/tests/parity/bpe $texts
}

metrics() {
	make build/tests/parity/metrics
	# shellcheck disable=SC2086 # a list of files
	check metrics build/tests/parity/metrics ${TEXTS:-}
}

stories() {
	local folder=$data/stories260k
	[ -d "$folder" ] || { echo 'not run: PEFTBENCH_DATA has no stories260k' && return; }
	check stories "$peftbench" "$folder/stories260K.bin" "$folder/tok512.bin"
}

minilm() {
	[ -n "${MODEL:-}" ] || [ -f models/minilm/model.safetensors ] || make models/minilm
	make build/tests/parity/parity
	local sst2=()
	[ ! -d "$data/sst2" ] || sst2=(--sst2 "$data/sst2")
	check minilm build/tests/parity/parity "${MODEL:-models/minilm}" "${sst2[@]}"
}

run() { # PART
	local start=$SECONDS status function=$1
	[ "$1" != export ] || function=export_ # a word of the shell
	echo "== $1"
	(set -e && "$function") 2>&1 | tee "$logs/$1.log"
	status=${PIPESTATUS[0]}
	echo "$1 $status $((SECONDS - start))" >>"$logs/parts"
}

# shellcheck disable=SC2086 # a list of words
[ $# -gt 0 ] || set -- $parts
for part; do
	case " $parts " in *" $part "*) ;; *) echo "run.sh: no part '$part'; want some of: $parts" >&2 && exit 2 ;; esac
done
tests/parity/venv.sh "$venv" || exit
mkdir -p "$logs" && : >"$logs/parts" || exit
for part; do run "$part"; done
awk -f tests/parity/summary.awk "$logs/parts" >"$logs/summary"
status=$?
echo && cat "$logs/summary"
exit $status
