#!/bin/bash
# The manual page and the completions have every command and option; troff, bash and zsh accept them.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

page=$work/peftbench.1
"$program" manual >"$page"
mapfile -t commands < <("$program" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
ok 'there are commands' test "${#commands[@]}" -gt 20
options_of() { "$program" "$1" --help | sed -nE 's/^  (--[a-z-]+).*/\1/p'; }
has_options() { # COMMAND: its section of the page has the same options in the same order
	diff <(options_of "$1") <(sed -n "/^\.SS peftbench $1\( .*\)\{0,1\}\$/,/^\.S[SH] /p" "$page" |
		sed -nE 's/^\.B (\\-\\-[a-z\\-]+).*/\1/p' | tr -d '\\')
}
for command in "${commands[@]}"; do
	ok "$command is in the manual with its options" has_options "$command"
done
ok 'no line of text is a request' test -z "$(grep "^[.']" "$page" |
	grep -vE '^\.(\\"|TH|SH|SS|TP|PP|B|BR|I|RI|nf|fi)( |$)')"
if command -v groff >/dev/null; then
	ok 'troff has no warning' test -z "$(groff -man -Tutf8 -ww -z "$page" 2>&1)"
else
	skip 'troff: groff is not installed'
fi

"$program" completion bash >"$work/completion.bash"
complete_line() { # WORD...: what bash offers for the last word
	(
		. "$work/completion.bash"
		COMP_WORDS=(peftbench "$@") COMP_CWORD=$#
		_peftbench
		printf '%s\n' "${COMPREPLY[@]}"
	)
}
ok 'a command is completed' is "$(complete_line tok)" tokenize
ok 'from all of them' is "$(complete_line '' | grep -v '^--' | sort)" "$(printf '%s\n' "${commands[@]}" | sort)"
ok 'an option is completed' is "$(complete_line run x.ini --no)" --no-timing
for command in "${commands[@]}"; do
	ok "options of $command" is "$(complete_line "$command" -- | grep -v '^--help$')" "$(options_of "$command")"
done
ok 'a method is completed' is "$(complete_line show adal)" adalora
ok 'a file is left to bash' is "$(complete_line run exp)" ''
"$program" completion zsh >"$work/_peftbench"
ok 'zsh has every command' is "$(grep -cE "^		'[a-z]+:" "$work/_peftbench")" "${#commands[@]}"
if command -v zsh >/dev/null; then
	ok 'zsh reads it' zsh -n "$work/_peftbench"
else
	skip 'the completion for zsh: zsh is not installed'
fi
ok 'another shell' run 2 completion fish
ok 'is refused' says "completion: want bash or zsh, got 'fish'"
finish
