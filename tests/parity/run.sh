#!/bin/bash
# Holds the engine against transformers, PEFT and tokenizers: `make parity`.
#
#   tests/parity/run.sh [OPTION]...     options go to check_minilm.py
#
# VENV         the virtual environment, made if it is not there (build/venv: a large download)
# PARITY       the program (default: build/tests/parity/parity, built here)
# MODEL        the Hugging Face folder (default: models/minilm, obtained if it is not there)
# TEXTS        English texts, .txt or .txt.xz: then ids are compared on 130,000 lines of them and of random Unicode
# PEFTBENCH_DATA  if its sst2/ is there, SST-2's lines go through both tokenizers; if its stories260k/ is,
#              that llama2.c checkpoint is compared; if its e2e/ is, the metrics are on those texts too
# E2E_METRICS  a checkout of github.com/tuetschek/e2e-metrics: its BLEU, NIST, ROUGE-L and CIDEr are compared too (needs Java)
set -eu
cd "$(dirname "$0")/../.."
venv=${VENV:-build/venv}
model=${MODEL:-models/minilm}
program=${PARITY:-build/tests/parity/parity}

[ -n "${PARITY:-}" ] || make "$program"
[ -n "${MODEL:-}" ] || [ -f "$model/model.safetensors" ] || make models/minilm
if ! [ -f "$venv/installed" ] || ! cmp -s "$venv/installed" tests/parity/requirements.txt; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet -r tests/parity/requirements.txt
	cp tests/parity/requirements.txt "$venv/installed"
fi
[ -d "${PEFTBENCH_DATA:-}/sst2" ] && set -- --sst2 "$PEFTBENCH_DATA/sst2" "$@"
export PYTHONDONTWRITEBYTECODE=1 TOKENIZERS_PARALLELISM=false
peftbench=${PEFTBENCH:-build/peftbench}
failed=0
"$venv/bin/python" tests/parity/check_fields.py || failed=1
"$venv/bin/python" tests/parity/check_config_fields.py || failed=1
"$venv/bin/python" tests/parity/check_goldens.py || failed=1
for check in check_models check_gguf check_adapters check_export; do
	"$venv/bin/python" "tests/parity/$check.py" "$peftbench" || failed=1
done
[ -f models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf ] || make models/smollm2
"$venv/bin/python" tests/parity/check_generate.py "$peftbench" models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf || failed=1
make build/tests/parity/jinja
"$venv/bin/python" tests/parity/check_chat.py build/tests/parity/jinja models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf || failed=1
if [ -n "${TEXTS:-}" ]; then
	make build/tests/parity/bpe
	# shellcheck disable=SC2086 # a list of files
	"$venv/bin/python" tests/parity/check_tokenizers.py "$peftbench" build/tests/parity/bpe $TEXTS || failed=1
fi
make build/tests/parity/metrics
# shellcheck disable=SC2086 # a list of files
"$venv/bin/python" tests/parity/check_metrics.py build/tests/parity/metrics ${TEXTS:-} || failed=1
stories=${PEFTBENCH_DATA:-}/stories260k
[ ! -d "$stories" ] || "$venv/bin/python" tests/parity/check_stories.py "$peftbench" "$stories/stories260K.bin" "$stories/tok512.bin" ||
	failed=1
"$venv/bin/python" tests/parity/check_minilm.py "$program" "$model" "$@" || failed=1
exit $failed
