#!/bin/bash
# Holds the engine against transformers, PEFT and tokenizers on MiniLM: `make parity`.
#
#   tests/parity/run.sh [OPTION]...     options go to check_minilm.py
#
# VENV         the virtual environment, made if it is not there (build/venv: a large download)
# PARITY       the program (default: build/tests/parity/parity, built here)
# MODEL        the Hugging Face folder (default: models/minilm, obtained if it is not there)
# PEFTBENCH_DATA  if its sst2/ is there, SST-2's lines go through both tokenizers
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
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/parity/check_minilm.py "$program" "$model" "$@"
