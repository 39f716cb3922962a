#!/usr/bin/perl
# Prints what the documentation names and does not exist: paths of this repository, links and their headings, functions
# (pb_..), targets of make, commands of the program and their options.  Needs build/peftbench.
#
#   tools/docs.pl     exit 0: everything exists, 1: each line says what does not, and where
use strict;
use warnings;
use FindBin;
chdir "$FindBin::Bin/.." or die;

my $program = 'build/peftbench';
-x $program or die "tools/docs.pl: no $program; run make first\n";
my @pages = (qw(README.md CONTRIBUTING.md), glob('docs/*.md data/*/README.md'));
my %known = map { chomp; $_ => 1 } `git ls-files --cached --others --exclude-standard`;
my $source = join '', map { slurp($_) } glob 'src/*.h src/*/*.[ch]';
my %function = map { $_ => 1 } $source =~ /\b(pb_\w+)/g;
my $makefile = slurp('Makefile');
my %target = map { $_ => 1 } $makefile =~ /^([a-z\/0-9]+):/mg;
my (%help, $bad);
$help{$_} = `$program $_ --help` for commands();
my $every = join '', values %help, `$program --help`;

sub slurp { local (@ARGV, $/) = @_; my $text = <>; $text }

sub commands {
	my @names = `$program --help` =~ /^  ([a-z]+) /mg;
	my @aliases = `$program --help` =~ /alias: ([a-z]+)/g;
	return @names, @aliases;
}

sub complain {
	print "@_\n";
	$bad = 1;
}

# A path in a text; a word of capitals such as NAME stands for anything, and so does *.
sub exists_path {
	my ($path) = @_;
	$path =~ s/[.:,]+$//;
	return 1 if $path =~ m{^(models/(minilm|smollm2|SmolLM2)|results/peftbench\.db|experiments/NAME|plots/)} || -e $path || -e "$path.xz";
	(my $pattern = $path) =~ s/(?<![a-zA-Z0-9])[A-Z][A-Z_]+(?![a-zA-Z0-9])/*/g;
	return $pattern =~ /\*/ && grep { -e } glob $pattern;
}

sub slug {
	my ($heading) = @_;
	$heading =~ s/[`*]//g;
	$heading = lc $heading;
	$heading =~ s/[^\w\s-]//g;
	$heading =~ s/ /-/g;
	return $heading;
}

my %headings = map { my $page = $_; $page => { map { slug($_) => 1 } slurp($page) =~ /^#+ +(.*)$/mg } } @pages;

for my $page (@pages) {
	(my $folder = $page) =~ s{[^/]*$}{};
	my ($line, $code, $text) = (0, 0, slurp($page));
	my %shown = map { ($_ => 1, "methods/$_" => 1) } $text =~ /This is\s+`([\w-]+\.c)`/g; # files that the page has the reader write
	for (split /\n/, $text) {
		my $at = "$page:" . ++$line;
		$code = !$code if /^```/;
		while (m{(?<![\w/.\$-])((?:src|tests|tools|methods|tasks|experiments|bench|docs|data|models|results)/[\w.*/+-]*)}g) {
			exists_path($1) || $shown{$1} or complain("$at: no file $1");
		}
		while (/`([\w\/]+\.(?:c|h|sh|pl|py|bash))`/g) {
			my $name = $1;
			$shown{$name} || $name =~ /[A-Z]{3}/ || grep { /(?:^|\/)\Q$name\E$/ } keys %known or complain("$at: no file $name");
		}
		while (/\]\(([^)#:]*)(?:#([^)]*))?\)/g) {
			my ($file, $anchor) = (length $1 ? "$folder$1" : $page, $2);
			$file =~ s{[^/]+/\.\./}{};
			-e $file or complain("$at: no file $file");
			complain("$at: no heading #$anchor in $file") if defined $anchor && !($headings{$file} // {})->{$anchor};
		}
		while (/\b(pb_\w+)(\*?)/g) {
			my ($name, $more) = ($1, $2);
			$function{$name} or ($more || $name =~ /_$|_[A-Z]+$/) && grep { index($_, $name =~ s/[A-Z]+$//r) == 0 } keys %function
				or $shown{($name =~ s/^pb_(method|preset)_//r) . '.c'} or complain("$at: no $name in src");
		}
		while ($code ? /(?:^|&& )make ((?:[A-Z]+=\S+ )*)([a-z][\w\/.-]*)/g : /`make ((?:[A-Z]+=\S+ )*)([a-z][\w\/.-]*)/g) {
			my $name = $2;
			$target{$name} || $name =~ m{^build/} or complain("$at: no target $name of make");
		}
		while (m{(?:^|[\s`/|(])peftbench ([a-z]+)(?=[ `\n]|$)([^`|]*)}g) {
			my ($command, $rest) = ($1, $2);
			if (!$help{$command}) {
				complain("$at: no command $command") if $code || /`[^` ]*peftbench $command/;
				next;
			}
			while ($rest =~ /(?<=\s)(--[a-z][\w-]*)/g) {
				my $option = $1;
				$option eq '--help' || index($help{$command}, "$option ") >= 0 or complain("$at: $command has no option $option");
			}
		}
		while (/`(--[a-z][\w-]*)/g) {
			my $option = $1;
			index($every, "$option ") >= 0 or $option =~ /^--(help|version)$/ or complain("$at: no option $option");
		}
	}
}
exit($bad ? 1 : 0);
