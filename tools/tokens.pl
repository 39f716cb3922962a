#!/usr/bin/perl
# Prints the tokens of C files, one on a line, after the name of each file.  Comments and layout are left out, so that the
# output changes only with the code.  What is between quotes is one token.  A preprocessor directive ends with the character
# 1, and character 2 tells `#define f(x)` from `#define f (x)`.  Used by version.sh and registry.sh.
use strict;
use warnings;

for my $name (@ARGV) {
	open my $file, '<', $name or die "tokens.pl: $name: $!\n";
	local $/;
	my $text = <$file>;
	my $quoted = qr/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/;
	$text =~ s/\r//g;
	$text =~ s/\\[ \t]*\n//g;
	$text =~ s{($quoted)|/\*.*?\*/|//[^\n]*}{ defined $1 ? $1 : ' ' }gse;
	$text =~ s/^([ \t]*#[ \t]*define[ \t]+\w+)\(/$1\x02(/mg;
	$text =~ s/^([ \t]*#.*)$/$1\x01/mg;
	my @token = $text =~ m{
		( (?:u8|[uUL])?"(?:[^"\\\n]|\\.)*" | [uUL]?'(?:[^'\\\n]|\\.)*'
		| \.?[0-9](?:[eEpP][-+]|[\w.])* | \w+
		| \.\.\. | <<= | >>= | -> | \+\+ | -- | << | >> | && | \|\| | \#\# | [-+*/%&|^<>=!]= | \S )
	}gx;
	print join("\n", $name, @token), "\n";
}
