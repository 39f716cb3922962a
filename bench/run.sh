#!/bin/bash
# Times peftbench and PyTorch with PEFT in alternation: `make bench`.
#
#   bench/run.sh [OPTION]...           options go to bench/peers.py
#   bench/run.sh decoding [OPTION]...  runs bench/decoding.py instead: tokens per second of a language model
#
# VENV   the virtual environment, created if it does not exist (default: build/venv; a large download)
# MODEL  the Hugging Face folder (default: models/minilm, downloaded if it does not exist)
# PEFTBENCH_DATA  if it contains sst2/, epochs of SST-2 are timed too
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-build/venv}
model=${MODEL:-models/minilm}
[ -n "${MODEL:-}" ] || [ -f "$model/model.safetensors" ] || make models/minilm
tests/parity/venv.sh "$venv"
if [ "${1:-}" = decoding ]; then
	shift
	gguf=models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
	[ -f "$gguf" ] || make models/smollm2
	PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" bench/decoding.py build/bench/bench_decode "$gguf" "$@"
fi
[ -d "${PEFTBENCH_DATA:-}/sst2" ] && set -- --sst2 "$PEFTBENCH_DATA/sst2" "$@"
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" bench/peers.py --model "$model" --ours build/bench/bench_engine "$@"
