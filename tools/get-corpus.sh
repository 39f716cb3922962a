#!/bin/sh
# Makes the texts for `peftbench pretrain`: one file for each source, one document per line.
#   tools/get-corpus.sh [FOLDER]     the default is build/corpus
# For each source: FOLDER/NAME.txt, about one document in 200 in FOLDER/NAME.heldout.txt, and a row
# of FOLDER/SOURCES.md.  The film reviews come from $PEFTBENCH_DATA/imdb-unsup and are left out if
# that is not there; all else comes from Debian packages, which are downloaded and unpacked here
# but not installed, so nothing on the machine changes and root is not needed.
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$tools/../build/corpus}
command -v apt-get >/dev/null || {
	echo "get-corpus: the texts come from Debian packages and this is no Debian" >&2
	exit 2
}

mkdir -p "$folder"
work=$(mktemp -d "$folder/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root" "$work/out"
work=$(cd "$work" && pwd)

# apt with lists and cache of its own: images of Debian often come without the descriptions.
apt() {
	command=$1
	shift
	"$command" -q -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
		-o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=en "$@"
}

unpack() { # PACKAGE...
	from=
	for package; do
		(cd "$work" && apt apt-get download "$package" >&2)
		dpkg-deb -x "$work/$package"_*.deb "$work/root"
		from="$from${from:+, }$package $(dpkg-deb -f "$work/$package"_*.deb Version)"
	done
}

# Makes one source of the files given, or of standard input (-), with a row of SOURCES.md.
extract() { # NAME LICENCE FILE...
	name=$1 licence=$2
	shift 2
	perl "$tools/corpus.pl" "$work/out" "$name" "$@" >"$work/counts"
	read -r documents bytes held_documents held_bytes <"$work/counts"
	sum=$(sha256sum <"$work/out/$name.txt" | cut -d ' ' -f 1)
	printf '%-13s %7d documents %9d bytes, held out %4d, %6d bytes; %s\n' \
		"$name" "$documents" "$bytes" "$held_documents" "$held_bytes" "$licence"
	echo "| $name | $from | $licence | $documents | $bytes | $held_documents | \`$sum\` |" >>"$work/rows"
}

echo "get-corpus: package lists" >&2
apt apt-get update >&2
share=$work/root/usr/share

reviews=${PEFTBENCH_DATA:-}/imdb-unsup/reviews.txt.xz
if [ -f "$reviews" ]; then
	from="IMDB film reviews without labels (Maas et al. 2011)"
	xz -dc "$reviews" | extract reviews "research use" -
else
	echo "get-corpus: reviews left out: no \$PEFTBENCH_DATA/imdb-unsup/reviews.txt.xz" >&2
fi

# shellcheck disable=SC2016 # apt's own variable
apt apt-get indextargets --format '$(FILENAME)' 'Identifier: Translations' 'Origin: Debian' | LC_ALL=C sort >"$work/targets"
from="package descriptions of Debian $(sed -n 's/^Version: \([0-9]*\.[0-9.]*\)$/\1/p' "$work"/lists/*InRelease | head -n 1)"
while read -r file; do /usr/lib/apt/apt-helper cat-file "$file"; done <"$work/targets" |
	extract descriptions "as the packages described: free" -

unpack wordnet-base
extract wordnet "WordNet 3.0" "$share"/wordnet/data.adj "$share"/wordnet/data.adv "$share"/wordnet/data.noun "$share"/wordnet/data.verb

unpack dict-gcide
gzip -dc "$share/dictd/gcide.dict.dz" | extract gcide "GPL-2+" -

unpack r-cran-janeaustenr
extract austen "public domain; package MIT" "$work/root/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"

# Sayings at the expense of peoples or of a sex are left out.
unpack fortunes-min fortunes
find "$share/games/fortunes" -type f ! -name '*.dat' ! -name ethnic ! -name men-women | LC_ALL=C sort >"$work/sayings"
# shellcheck disable=SC2046 # names without spaces
extract fortunes "BSD; short quotations" $(cat "$work/sayings")

unpack dict-devil
gzip -dc "$share/dictd/devil.dict.dz" | extract devil "public domain" -

unpack dict-jargon
gzip -dc "$share/dictd/jargon.dict.dz" | extract jargon "public domain" -

unpack sword-text-web
bible=$share/sword/modules/texts/ztext/engWEB2015eb
extract bible "public domain" "$bible/ot.bzs" "$bible/nt.bzs"

{
	echo '| source | from | licence | documents | bytes | held out | SHA-256 of NAME.txt |'
	echo '|---|---|---|---|---|---|---|'
	cat "$work/rows"
} >"$work/out/SOURCES.md"
mv "$work/out"/* "$folder/"
echo "get-corpus: $folder: complete" >&2
