#!/bin/sh
# Makes a Debian package of what `make deb` has built.  Argument: its folder, which contains objects/peftbench.
set -eu
folder=$1
root=$folder/root
version=$("$folder/objects/peftbench" --version | sed 's/^peftbench \([^,]*\),.*/\1/')
case $version in
v[0-9]*.* | [0-9]*.*) version=$(echo "${version#v}" | tr - +) ;; # a release, or so many commits after one
*) version=0~git$version ;;
esac

rm -rf "$root" && mkdir -p "$root/DEBIAN" "$root/usr/share/doc/peftbench" "$folder/debian"
make -s -o all install BUILD="$folder/objects" DESTDIR="$root" PREFIX=/usr
strip "$root/usr/bin/peftbench"
gzip -9n "$root/usr/share/man/man1/peftbench.1"
mkdir -p "$root/usr/share/zsh/vendor-completions" # where Debian's zsh looks
mv "$root/usr/share/zsh/site-functions/_peftbench" "$root/usr/share/zsh/vendor-completions/" && rmdir "$root/usr/share/zsh/site-functions"
cp LICENSE "$root/usr/share/doc/peftbench/copyright"

# dpkg-shlibdeps reads a source package's debian/control.
printf 'Source: peftbench\n\nPackage: peftbench\nArchitecture: any\n' >"$folder/debian/control"
libraries=$(cd "$folder" && dpkg-shlibdeps -O root/usr/bin/peftbench 2>/dev/null | sed 's/^shlibs:Depends=//')
cat >"$root/DEBIAN/control" <<END
Package: peftbench
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: peftbench developers <peftbench@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Depends: $libraries, gnuplot-nox | gnuplot-x11 | gnuplot-qt
Recommends: sqlite3
Section: science
Priority: optional
Description: compares parameter-efficient fine-tuning methods
 It trains every method of an experiment on shared tasks and records storage,
 memory, computation, accuracy and inference overhead in a SQLite database,
 from which it makes tables, figures and statistical comparisons.
END
dpkg-deb --root-owner-group --build "$root" "$folder/peftbench.deb" >/dev/null
echo "$folder/peftbench.deb: peftbench $version"
