#!/usr/bin/perl
# Prints the circles among the units of src/: units that need each other in a loop.  A unit is a source file with the
# header of its name; it needs the units whose headers it includes and those that define what it calls.  A header without a
# source, such as NAME_internal.h, is part of no unit.  The calls are
# read from the object files, so build first.
#
#   tools/circles.pl [BUILD]     exit 0: there is none, 1: each circle stands on a line, with the names that tie it
use strict;
use warnings;

my $build = shift // 'build';
my (%needs, %why, %defined, %called);

sub need {
	my ($from, $to, $what) = @_;
	return if $from eq $to;
	$needs{$from}{$to} = 1;
	push @{$why{"$from -> $to"}}, $what;
}

for my $file (grep { !/internal\.h$/ } glob "src/*/*.[ch]") {
	(my $unit = $file) =~ s/^src\/|\.[ch]$//g;
	$needs{$unit} //= {};
	open my $in, '<', $file or die "$file: $!\n";
	while (<$in>) {
		need($unit, $1, "#include") if /^#include "([a-z_]+\/\w+)\.h"/ && -e "src/$1.c";
	}
}
for my $object (glob "$build/src/*/*.o") {
	(my $unit = $object) =~ s/^\Q$build\E\/src\/|\.o$//g;
	next unless -e "src/$unit.c";
	open my $in, '-|', 'nm', $object or die "nm: $!\n";
	while (<$in>) {
		$defined{$1} = $unit if / [TDBRV] (\w+)$/;
		push @{$called{$unit}}, $1 if / U (\w+)$/;
	}
}
die "$build: no object files, want those of `make`\n" unless %called;
for my $unit (sort keys %called) {
	need($unit, $defined{$_}, $_) for grep { $defined{$_} } @{$called{$unit}};
}

# Tarjan: the strongly connected components.
my ($clock, @stack, %number, %low, %open, @circle) = (0);

sub visit {
	my $unit = shift;
	$number{$unit} = $low{$unit} = ++$clock;
	push @stack, $unit;
	$open{$unit} = 1;
	for my $next (sort keys %{$needs{$unit}}) {
		visit($next) unless $number{$next};
		$low{$unit} = $low{$next} if $open{$next} && $low{$next} < $low{$unit};
	}
	return if $low{$unit} != $number{$unit};
	my @component;
	do {
		push @component, pop @stack;
		delete $open{$component[-1]};
	} until $component[-1] eq $unit;
	push @circle, [sort @component] if @component > 1;
}
for my $unit (sort keys %needs) {
	visit($unit) unless $number{$unit};
}

for my $units (@circle) {
	print "circle of ", scalar @$units, ": @$units\n";
	my %in = map { $_ => 1 } @$units;
	for my $from (@$units) {
		print "  $from -> $_: @{$why{\"$from -> $_\"}}\n" for grep { $in{$_} } sort keys %{$needs{$from}};
	}
}
print scalar @circle, " circles, ", scalar keys %needs, " units\n";
exit(@circle ? 1 : 0);
