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
# The texts of less contrast than 4.5 to 1 (WCAG AA) with what is behind them.
pale=$(
	tr '\n' ' ' <<'END'
(() => {
	const light = colour => {
		const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map(x => (x /= 255) > 0.04045 ? ((x + 0.055) / 1.055) ** 2.4 : x / 12.92);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ground = e => e.parentElement && /, 0\)$/.test(getComputedStyle(e).backgroundColor) ? ground(e.parentElement) : getComputedStyle(e).backgroundColor;
	const bad = [], texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || e.closest('svg')) continue;
		const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => x - y);
		if ((b + 0.05) / (a + 0.05) < 4.5) bad.push(texts.currentNode.data.trim());
	}
	return bad;
})()
END
)
names='[...document.querySelectorAll("#results tbody tr:not([hidden])")].map(r => r.cells[0].firstChild.data.trim()).join()'
# Whether the values of column 1 fall.
scores='[...document.querySelectorAll("#results tbody tr")].map(r => Number(r.cells[1].dataset.value)).every((x, i, all) => !i || x <= all[i - 1])'
# shows NAME EXPECTED COMMAND..: what the page prints after these commands of a browser, which look_at runs.
shows() {
	printf '%s\n%s\n' "$1" "$2" >>expected
	shift 2
	printf '%s\n' 'say --' load "$@" >>commands
}
# Compares what the browser prints of all steps with what is expected of them.
look_at() {
	perl "$root/tests/browser.pl" "$1" <commands >shown 2>&1
	local n=1 name expected
	while read -r name && read -r expected; do
		n=$((n + 1))
		ok "$name" test "$(awk -v n=$n 'BEGIN { RS = "--\n" } NR == n { printf "%s", $0 }' shown)" = "$expected"
	done <expected
}
if command -v chromium >/dev/null; then
	shows 'a browser shows the page, and blocks nothing of it' 104 'eval 104'
	shows 'the best on top' true "eval $scores"
	shows 'a click sorts by a cost, the least first' 'head,lora:<b>x,full' 'click #results th[title="storage.trainable"] button' "eval $names"
	shows 'a second one turns the order round' 'full,lora:<b>x,head' 'click #results th[title="storage.trainable"] button' \
		'click #results th[title="storage.trainable"] button' "eval $names"
	shows 'a click on a score puts the best on top' true 'click #results th[title="accuracy.validation.accuracy"] button' \
		"eval ${scores/cells\[1\]/cells[3]}"
	shows 'words choose rows' '1 of 3 rows lora:<b>x' 'click #filter' 'type B>X lora' "eval document.getElementById('shown').textContent + ' ' + $names"
	shows 'a phone does not scroll sideways' '[390,true]' 'size 390 844' \
		'eval [document.documentElement.scrollWidth, document.querySelector(".wide").scrollWidth > document.querySelector(".wide").clientWidth]'
	shows 'figures keep their size there' true 'size 390 844' \
		'eval [...document.querySelectorAll("figure svg")].every(s => s.getBoundingClientRect().width == s.width.baseVal.value)'
	shows 'a long table scrolls below its head' true \
		'eval (w => { w.style.maxHeight = "7rem"; w.scrollTop = 60; return Math.abs(w.querySelector("th").getBoundingClientRect().y - w.getBoundingClientRect().y) < 2 })(document.querySelector(".wide"))'
	shows 'no text is pale on a light screen' '[]' "eval $pale"
	shows 'nor on a dark one' '[]' 'media prefers-color-scheme dark' "eval $pale"
	shows 'where the ink of figures is light' 'invert(1) hue-rotate(180deg)' 'media prefers-color-scheme dark' \
		'eval getComputedStyle(document.querySelector("figure svg")).filter'
	shows 'print shows what is folded, in dark ink' '[0,"rgb(27, 31, 36)"]' 'media prefers-color-scheme dark' 'media print' \
		'eval dispatchEvent(new Event("beforeprint")) && [document.querySelectorAll("details:not([open])").length, getComputedStyle(document.body).color]'
	shows 'only marks have tooltips' 0 'eval [...document.querySelectorAll("svg title")].filter(t => t.parentElement.tagName != "circle").length'
	look_at page.html
else
	skip 'chromium is not installed: no browser has shown the page'
fi
finish
