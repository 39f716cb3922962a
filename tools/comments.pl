#!/usr/bin/perl
# Prints each function that a header of src/ declares without a comment: directly above it, beside it, or above the
# group of declarations (lines without an empty one between them) that it belongs to.
#
#   tools/comments.pl [FILE...]     exit 0: there is none, 1: each stands on a line
use strict;
use warnings;

my @files = @ARGV ? @ARGV : (glob('src/*.h'), glob('src/*/*.h'));
my ($bad, $all) = (0, 0);

for my $file (@files) {
	open my $in, '<', $file or die "$file: $!\n";
	my ($depth, $in_comment, $covered, $declaration, $line) = (0, 0, 0, '', 0);
	while (<$in>) {
		my $beside = 0;
		chomp;
		if ($in_comment) {
			$in_comment = !m{\*/};
			next if $in_comment || m{\*/\s*$};
			s{^.*\*/}{};
		}
		if (!$declaration && /^\s*$/) { # the end of a group
			$covered = 0;
			next;
		}
		next if m{^/\* ---- };
		if (m{^/\*}) {
			$covered = 1 if !$depth;
			$in_comment = !m{\*/};
			next;
		}
		next if /^#/ || /\\$/;
		$beside = s{/\*.*?\*/}{}g;
		if (m{/\*}) {
			$beside = $in_comment = 1;
			s{/\*.*}{};
		}
		my $was = $depth;
		$depth += tr/{/{/;
		$depth -= tr/}/}/;
		next if $was || $depth;
		$line = $. if !$declaration;
		$declaration .= $_;
		if ($declaration !~ /;\s*$/) {
			$declaration .= ' ' if $declaration;
			$covered = 1 if $beside;
			next;
		}
		if ($declaration =~ /^(?!typedef|struct|enum|union|static_assert|_Static_assert)\w.*?\b(pb_\w+)\(/
			|| $declaration =~ /^extern .*?\b(pb_\w+)(\[[^\]]*\])?;/) {
			$all++;
			if (!$covered && !$beside) {
				print "$file:$line: $1 has no comment\n";
				$bad++;
			}
		}
		$declaration = '';
	}
}
print "$bad of $all declarations have no comment\n";
exit($bad ? 1 : 0);
