#!/bin/sh
# Installs the Debian packages that are missing.  If none is, it prints nothing and needs no network.
#   tools/setup.sh [check] [fuzz] [minilm]    also those of `make check`, `make fuzz` and `make models/minilm`
set -eu

# libopenblas: the pthread and the serial build work equally well, because every thread calls it with its own rows.
# Debian installs the pthread build for libopenblas-dev.
packages='build-essential pkg-config libopenblas-dev libsqlite3-dev sqlite3 libinih-dev
	libjansson-dev libutf8proc-dev libpcre2-dev libcurl4-openssl-dev libmd-dev
	zlib1g-dev liblzma-dev gnuplot-nox'
for purpose; do
	case $purpose in
	check) packages="$packages libzstd-dev clang clang-format clang-tidy" ;;
	fuzz) packages="$packages clang libclang-rt-dev" ;;
	minilm) packages="$packages python3-pip" ;;
	*) echo "setup: unknown purpose '$purpose'; want check, fuzz or minilm" >&2 && exit 2 ;;
	esac
done

installed() { dpkg -s "$1" 2>/dev/null | grep -q '^Status: install ok installed'; }

missing=
for package in $packages; do
	installed "$package" || missing="$missing $package"
done
# Another pip than Debian's will do.
case $missing in *python3-pip*)
	if python3 -m pip --version >/dev/null 2>&1; then missing=$(echo "$missing" | sed 's/ python3-pip//'); fi ;;
esac
[ -n "$missing" ] || exit 0
# The program can do without it, and then refuses data files that end in .zst.
installed libzstd-dev || case $missing in *libzstd-dev*) ;; *) missing="$missing libzstd-dev" ;; esac

echo "setup: missing packages:$missing"
command -v apt-get >/dev/null || {
	echo "setup: this is no Debian; install the like of these packages by hand" >&2
	exit 2
}
as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "setup: neither root nor sudo; as root run: apt-get install$missing" >&2
		exit 2
	}
	as_root=sudo
fi
# shellcheck disable=SC2086 # a list of words
install_missing() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
$as_root apt-get update -q
install_missing
