#!/usr/bin/perl
# Redraws the figures and tables of the documentation whose results are in results/, from these databases alone.
#
#   <!-- figure results/NAME.db[:EXPERIMENT] FIGURE -->   the next line is an image beside the page, which is drawn
#   <!-- table results/NAME.db[:EXPERIMENT] OPTIONS -->   the next block of code or table in Markdown is what
#                                                         `peftbench table` prints
#
# A database that is stored as NAME.db.xz is unpacked into build/results/.
#
#   tools/figures.pl           draws and writes
#   tools/figures.pl --check   exit 1: a table is not that of its database, or a figure is missing; writes nothing
use strict;
use warnings;
use File::Copy;
use File::Temp 'tempdir';
use FindBin;
chdir "$FindBin::Bin/.." or die;

my $program = $ENV{PEFTBENCH} // 'build/peftbench';
my $check = @ARGV && $ARGV[0] eq '--check';
my ($drawn, $bad) = (0, 0);

sub slurp { local (@ARGV, $/) = @_; my $text = <>; $text }

# The argument that stands for a database of results/, after the Makefile has unpacked it.
sub unpacked {
	my ($database) = @_;
	my ($file, $rest) = $database =~ m{^results/(\w[\w.-]*\.db)(:[\w:=.-]+)?$} or die "$database: no database of results/\n";
	return $database unless -e "results/$file.xz";
	delete local $ENV{MAKEFLAGS};
	system('make', '-s', "build/results/$file") == 0 or die "results/$file.xz: cannot be unpacked\n";
	return "build/results/$file" . ($rest // '');
}

sub table {
	my ($page, $database, $options, $is) = @_;
	my $format = $is =~ /^\|/ ? '--format markdown' : '';
	my $from = unpacked($database);
	my $table = `$program table $from $options $format` // '';
	die "$page: $database: no table\n" if $?;
	$table =~ s/ +$//mg;
	++$drawn;
	return $table if !$check || $table eq $is;
	print "$page: the table of $database is another one; run `make figures`\n";
	$bad = 1;
	return $is;
}

sub figure {
	my ($page, $database, $figure, $image) = @_;
	my $target = ($page =~ s{[^/]*$}{}r) . $image;
	++$drawn;
	if ($check) {
		return if -e $target;
		print "$page: there is no $target; run `make figures`\n";
		$bad = 1;
		return;
	}
	my $folder = tempdir(CLEANUP => 1);
	system($program, 'plot', unpacked($database), '--figure', $figure, '--format', 'svg', '--out', $folder) == 0
		or die "$page: $database: no figure '$figure'\n";
	copy("$folder/$figure.svg", $target) or die "$target: $!\n";
}

for my $page ('README.md', glob 'docs/*.md') {
	my $text = my $was = slurp($page);
	$text =~ s{(<!-- table (\S+) ?([^\n]*?) -->\n+```\n)(.*?)(```\n)}{$1 . table($page, $2, $3, $4) . $5}gse;
	$text =~ s{(<!-- table (\S+) ?(.*?) -->\n+)((?:\|.*\n)+)}{$1 . table($page, $2, $3, $4)}ge;
	figure($page, $1, $2, $3) while $text =~ m{<!-- figure (\S+) (\S+) -->\n!\[[^\]]*\]\(([^)]*)\)}g;
	next if $check || $text eq $was;
	open my $out, '>', $page or die "$page: $!\n";
	print $out $text;
	close $out or die "$page: $!\n";
}
print "$drawn figures and tables\n";
exit $bad;
