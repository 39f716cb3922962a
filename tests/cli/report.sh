#!/bin/bash
# report: one HTML page, which no text of the data can turn into a script.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
mkdir scratch && export TMPDIR=$work/scratch # of this test alone
scored_study
sed -i 's/^methods.*/methods = head, full, lora:<b>x/' toy.ini
{
	printf '[experiment]\ntitle = %s\n' "<img src=x onerror=alert(1)>\"'&amp"
	sed 1d toy.ini
} >evil.ini && mv evil.ini toy.ini
printf '\n[method lora:<b>x]\nrank = 2\n' >>toy.ini

ok 'an experiment' run 0 run toy.ini --db toy.db --no-timing
ok 'its page' run 0 report toy.ini --db toy.db
ok 'is named' prints '^plots/toy/report.html$'
page=plots/toy/report.html
has() { grep -qF -- "$1" $page; }
hasnot() { ! grep -qF -- "$1" $page; }
ok 'a title' has '<h1>&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;amp</h1>'
ok 'a row' has '<tr class="best"><td>'
ok 'a label' has 'lora:&lt;b&gt;x'
ok 'no markup of the data' hasnot '<img'
ok 'no label as markup' hasnot '<b>x'
ok 'no handler' test "$(grep -c ' on[a-z]*=' $page)" = "$(grep -cE '(onerror=alert\(1\)&gt;|&lt;img src=x onerror)' $page)"
ok 'no address of another page' test "$(grep -oE '(src|href)="[a-z]+:' $page | grep -cv 'www.w3.org')" = 0
ok 'the policy' has "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"
digest=$(perl -MDigest::SHA=sha256_base64 -0ne 'print sha256_base64($1), "=" if m|<script>(.*?)</script>|s' $page)
ok 'one script, whose digest it has' test "$(grep -c '<script' $page)" = 1
ok 'the digest' has "script-src 'sha256-$digest'"
ok 'figures' has '<figure>'
ids=$(grep -oE '\bid="[^"]*"' $page | sort | uniq -d | head -1)
ok 'no identifier twice' test -z "$ids"
missing=$(comm -13 <(grep -oE "\bid=[\"'][^\"']*" $page | cut -c5- | sort -u) <(grep -oE "(href=['\"]|url\()#[^'\")]*" $page | sed 's/.*#//' | sort -u))
ok 'each that is used is there' test -z "$missing"
ok 'what a mark is' has "<title>head: accuracy.test.accuracy $(sqlite3 toy.db "SELECT printf('%.6g', avg(value)) FROM value
	JOIN run ON id = run WHERE row = 'head' AND key = 'accuracy.test.accuracy' AND step = -1"), 95 % interval "
ok 'escaped' has '<title>lora:&lt;b&gt;x: memory.train.weights '
ok 'of each class of memory, and cost' test "$(grep -c '<title>full: ' $page)" -ge 10
ok 'over the marks' grep -q '<circle cx="[0-9.]*" cy="[0-9.]*" r="5"><title>head' $page
ok 'the equation of a method' has 'equation:'
ok 'the data' has 'SHA-256 of the data'
ok 'the provenance' has '<td>code.engine</td>'
ok 'nothing failed' test "$(grep -A 1 'Runs that failed or diverged</h2>' $page | tail -n 1)" = '<p>None.</p>'

sqlite3 toy.db "DROP TRIGGER IF EXISTS run_update; UPDATE run SET status = 'failed', error = 'out of <i>memory</i>' WHERE row = 'head' AND seed = 0" 2>/dev/null
ok 'with a run that failed' run 0 report toy.ini --db toy.db --out page.html
page=page.html
ok 'its row' has '<td class="bad">failed</td>'
ok 'a file that is there is replaced' run 0 report toy.ini --db toy.db --out page.html
ok 'a folder that is not there' run 2 report toy.ini --db toy.db --out nowhere/page.html
ok 'nothing is left behind' test -z "$(ls "$TMPDIR")"

if command -v tidy >/dev/null; then
	tidy -q -e --drop-empty-elements no page.html 2>tidy.out
	ok 'valid HTML' test "$(grep -c 'Error' tidy.out)" = 0
else
	skip 'tidy is not installed: the page is not validated'
fi
if command -v chromium >/dev/null; then
	timeout 60 chromium --headless --no-sandbox --disable-gpu --dump-dom "file://$PWD/page.html" >dom 2>log
	ok 'a browser reads it' grep -q '<table id="results">' dom
	ok 'and blocks nothing of it' test "$(grep -c 'Content Security Policy' log)" = 0
else
	skip 'chromium is not installed: no browser has read the page'
fi
finish
