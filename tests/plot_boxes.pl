#!/usr/bin/perl
# plot_boxes.pl FILE.svg..: prints every text that leaves the frame of its figure, or lies on another text or, in figures of
# points (accuracy-*), on a mark.  The widths of texts are those of Helvetica, roughly; boxes may touch by a pixel.
use strict;
use warnings;
binmode STDOUT, ':utf8';
my $bad = 0;
my %narrow = map { $_ => 0.28 } split //, " ijltfrI.,:;!|/()[]'-";
my %wide = map { $_ => 0.83 } split //, 'mMWw%@';

sub width {
    my ($text, $size) = @_;
    my $sum = 0;
    $sum += $narrow{$_} // $wide{$_} // (/[A-Z]/ ? 0.7 : 0.556) for split //, $text;
    return $sum * $size;
}

sub overlap {
    my ($p, $q) = @_;
    my $w = ($p->[2] < $q->[2] ? $p->[2] : $q->[2]) - ($p->[0] > $q->[0] ? $p->[0] : $q->[0]);
    my $h = ($p->[3] < $q->[3] ? $p->[3] : $q->[3]) - ($p->[1] > $q->[1] ? $p->[1] : $q->[1]);
    return $w > 1 && $h > 1;
}

for my $file (@ARGV) {
    open my $in, '<:utf8', $file or die "$file: $!\n";
    my $svg = do { local $/; <$in> };
    my ($wide, $high) = $svg =~ /viewBox="0 0 ([\d.]+) ([\d.]+)"/ or die "$file: no size\n";
    my (@text, @mark);
    while ($svg =~ m{<g transform="translate\(([-\d.]+),([-\d.]+)\)( rotate\(-90\))?"[^>]*font-size="([\d.]+)"\s+text-anchor="(\w+)">\s*<text>(.*?)</text>}gs) {
        my ($x, $y, $upright, $size, $anchor, $text) = ($1, $2, $3, $4, $5, $6);
        $text =~ s/<[^>]*>//g;
        $text =~ s/&lt;/</g, $text =~ s/&gt;/>/g, $text =~ s/&amp;/&/g;
        next if $text eq '';
        my $w = width($text, $size);
        my $from = $anchor eq 'end' ? -$w : $anchor eq 'middle' ? -$w / 2 : 0;
        my $box = $upright ? [$x - 0.72 * $size, $y - $from - $w, $x + 0.2 * $size, $y - $from]
                           : [$x + $from, $y - 0.72 * $size, $x + $from + $w, $y + 0.2 * $size];
        push @text, [@$box, $text];
    }
    die "$file: no texts\n" unless @text;
    while ($svg =~ m{<use xlink:href='#gpPt\d+' transform='translate\(([-\d.]+),([-\d.]+)\) scale\(([\d.]+)\)'}g) {
        push @mark, [$1 - $3, $2 - $3, $1 + $3, $2 + $3];
    }
    for my $i (0 .. $#text) {
        my $t = $text[$i];
        if ($t->[0] < -1 || $t->[1] < -1 || $t->[2] > $wide + 1 || $t->[3] > $high + 1) {
            printf "%s: '%s' leaves the frame: %.0f %.0f %.0f %.0f in %g x %g\n", $file, $t->[4], @$t[0 .. 3], $wide, $high;
            $bad = 1;
        }
        for my $k (0 .. $i - 1) {
            next unless overlap($t, $text[$k]);
            print "$file: '$t->[4]' lies on '$text[$k][4]'\n";
            $bad = 1;
        }
        next unless $file =~ /accuracy-[^\/]*$/;
        for my $m (@mark) {
            next unless overlap($t, $m);
            printf "%s: '%s' lies on the mark at %.0f, %.0f\n", $file, $t->[4], ($m->[0] + $m->[2]) / 2, ($m->[1] + $m->[3]) / 2;
            $bad = 1;
        }
    }
}
exit $bad;
