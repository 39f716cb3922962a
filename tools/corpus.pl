#!/usr/bin/perl
# Turns one source into documents, one a line: FOLDER/NAME.txt, and about one in 200 of them, by
# the hash of its text, into FOLDER/NAME.heldout.txt.  Called by get-corpus.sh:
#   corpus.pl FOLDER NAME FILE...       NAME is a reader below; a FILE of - is the standard input
# Prints "documents bytes held-out-documents held-out-bytes".
use strict;
use warnings;
use Digest::MD5 'md5';
use Encode qw(decode encode);

my ($folder, $name, @files) = @ARGV;
my %readers = (
    'reviews'      => \&reviews,
    'descriptions' => \&descriptions,
    'wordnet'      => \&wordnet,
    'gcide'        => \&gcide,
    'austen'       => \&austen,
    'fortunes'     => \&fortunes,
    'devil'        => \&devil,
    'jargon'       => \&jargon,
    'bible'        => \&bible,
);
my $reader = $readers{$name} or die "corpus.pl: no source '$name'; has: @{[sort keys %readers]}\n";

# ---- documents ---------------------------------------------------------------------------------

my (%seen, %count, %bytes, %out);
my %of = (train => "$folder/$name.txt", heldout => "$folder/$name.heldout.txt");
for my $part (keys %of) {
    open $out{$part}, '>:raw', $of{$part} or die "$of{$part}: $!\n";
    $count{$part} = $bytes{$part} = 0;
}

# Quotes, dashes and dots as ASCII has them, as a small vocabulary should know each but once.
# C1 controls are Windows' characters, most of them quotes too.
sub plain {
    my ($text) = @_;
    $text =~ s/([\x{80}-\x{9f}])/decode('cp1252', chr ord $1)/ge;
    $text =~ tr/\x{2018}\x{2019}\x{201c}\x{201d}\x{2010}-\x{2013}/''""\-\-\-\-/;
    $text =~ s/\x{2014}/ -- /g;
    $text =~ s/\x{2026}/.../g;
    $text =~ s/[\x{200b}-\x{200f}\x{feff}\x{fffd}\x{ad}]//g; # unseen
    return $text;
}

# A document of characters: kept if it is prose, long enough and new.
sub document {
    my ($text) = @_;
    $text = plain($text);
    $text =~ s/[\x00-\x1f\x7f\s]+/ /g;
    $text =~ s/^ | $//g;
    my $letters = length $text =~ s/[^\p{L} ]+//gr;
    return if length $text < 20 or $letters < 0.7 * length $text;
    my $line = encode('UTF-8', $text) . "\n";
    my $hash = md5($line);
    return if $seen{$hash}++;
    my $part = unpack('N', $hash) % 200 ? 'train' : 'heldout';
    print { $out{$part} } $line;
    $count{$part}++;
    $bytes{$part} += length $line;
}

sub read_bytes {
    my ($file) = @_;
    local $/;
    my $handle = \*STDIN;
    open $handle, '<:raw', $file or die "$file: $!\n" if $file ne '-';
    return scalar <$handle>;
}

# The file's characters: UTF-8, or Latin-1 where it is not.
sub read_text {
    my $bytes = read_bytes($_[0]);
    my $text = eval { decode('UTF-8', my $copy = $bytes, Encode::FB_CROAK) };
    return defined $text ? $text : decode('ISO-8859-1', $bytes);
}

# "a quick fox;" -> "a quick fox."
sub stopped {
    my ($text) = @_;
    $text =~ s/^\s+|[\s;:,]+$//g;
    return $text =~ /[.!?]["')]*$/ ? $text : "$text.";
}

# ---- sources -----------------------------------------------------------------------------------

# Reviews without any mark between them: a new one begins where a sentence ends and the next
# word, in upper case, follows without a space.  "U.S.A" and "3.D" are no ends, nor is what
# would leave less than 200 characters: that is a space forgotten within a review.
sub reviews {
    my $text = read_text($_[0]);
    $text =~ s/<br\s*\/?>/ /gi;
    $text =~ s/<\/?[a-z]{1,6}>//gi;
    $text =~ s/(?:(?<=[\p{Ll})\]"'*]\.)|(?<=[!?])|(?<=[.!?]["')*])|(?<=\b\/10)|(?<=\b\/10\.))(?=\p{Lu})/\n/g;
    my $review = '';
    for my $piece (split /\n/, $text) {
        document($review) if length $piece >= 200;
        $review = length $piece < 200 ? "$review $piece" : $piece;
    }
    document($review);
}

# A Translation-en file of Debian: of paragraphs that packages share, the first is kept.
sub descriptions {
    my %known;
    for my $stanza (map { split /\n\n+/, read_text($_) } @_) {
        my ($package) = $stanza =~ /^Package: (.*)/m;
        my ($short, $long) = $stanza =~ /^Description-en: (.*)\n?((?: .*\n?)*)/m or next;
        my @paragraphs = grep { /\S/ && !$known{$_}++ } split /^ \.\n/m, $long;
        document(join ' ', "$package:", stopped($short), map { list($_) } @paragraphs) if @paragraphs;
    }
}

# The items of a list, one a line after a mark: "want: * a\n * b" -> "want: a; b".
sub list {
    my ($text) = @_;
    $text =~ s/([.:])\n\s+[-*+o] +/$1 /g;
    $text =~ s/[;,]?\n\s+[-*+o] +/; /g;
    return $text =~ s/^\s+(?:[-*+o] +)?//r;
}

# "brackish, briny: slightly salty. A brackish lagoon."
sub wordnet {
    for (map { split /\n/, read_text($_) } @_) {
        my ($fields, $gloss) = /^(\d{8} .*?) \| (.*)/ or next;
        my @field = split ' ', $fields;
        my @words = map { s/_/ /gr =~ s/\(\w+\)$//r } map { $field[4 + 2 * $_] } 0 .. hex($field[3]) - 1;
        my ($meaning, $examples) = $gloss =~ /^(.*?)\s*(?:;\s*(".*))?$/;
        document(join ' ', join(', ', @words) . ':', stopped($meaning), map { ucfirst stopped($_) } ($examples // '') =~ /"([^"]{8,})"/g);
    }
}

# The senses of a headword: "Dichotomy: a cutting in two; a division. A general breach ..."
sub gcide {
    my $text = read_text($_[0]);
    $text =~ s/^.*?(?=^A \\A)//ms; # notices come first
    for my $entry (split /\n(?=\S[^\n\\]*\\)/, $text) {
        my ($word, $rest) = $entry =~ /^([^\\]+?) *\\[^\\]*\\,?(.*)/s or next;
        next if $rest =~ /\[WordNet/; # a source of its own
        $rest =~ s/\[[^][]*\]//g while $rest =~ /\[[^][]*\]/; # etymologies, sources
        $rest =~ s/^[^\n]*\n//;                               # the part of speech
        $rest =~ s/[{}]//g;
        $rest =~ s/\s*--\s?[A-Z1-9(][^\n]{0,60}(?:\n {25,}[^\n]*)*$//mg; # who is quoted
        for my $sense (split /^ +(?:\d+\.|\(\w\)) /m, $rest) {
            $sense =~ s/^\s*\([A-Z][\w. &]*\)\s*//; # (Bot.)
            document("$word: " . stopped($sense)) if $sense =~ /\w+ \w+ \w+/;
        }
    }
}

# R's lazy-load file: zlib streams behind their lengths, in each the lines of a novel.
sub austen {
    require Compress::Zlib;
    my $packed = read_bytes($_[0]);
    while (length $packed > 4) {
        my $rest = substr $packed, 4;
        my ($stream) = Compress::Zlib::inflateInit();
        my ($novel) = $stream->inflate($rest);
        die "$_[0]: not a lazy-load file of R\n" unless defined $novel;
        $packed = $rest;
        prose(split /\n\s*\n/, join "\n", r_lines($novel));
    }
}

# The strings of a serialized character vector.
sub r_lines {
    my ($bytes) = @_;
    my @lines;
    while ($bytes =~ /\x00[\x00-\x0f][\x00-\xff]\x09(....)/gs) {
        my $length = unpack 'N', $1;
        push @lines, decode('UTF-8', substr $bytes, pos($bytes), $length);
        pos($bytes) += $length;
    }
    return @lines;
}

# Paragraphs, joined until they make about as much as a review, but not across a heading.
sub prose {
    my $text = '';
    for my $paragraph (@_) {
        my $heading = $paragraph !~ /[a-z]/ || $paragraph =~ /^\s*(?:chapter|volume)\b/i;
        $text .= "$paragraph\n" unless $heading;
        next if length $text < 1000 && !$heading;
        document($text);
        $text = '';
    }
    document($text);
}

# Jokes and sayings between lines of %.
sub fortunes {
    for my $file (@_) {
        for my $saying (split /^%\n/m, read_text($file)) {
            $saying =~ s/.\x08//g; # underlined by overstriking
            document($saying =~ s/^\s+-- / -- /mr);
        }
    }
}

# "ABASEMENT, n.  A decent and customary mental attitude ..."
sub devil {
    my $text = read_text($_[0]);
    $text =~ s/^.*?(?=^ABASEMENT,)//ms; # the preface
    document($_) for split /\n\n(?=[A-Z][A-Z'-]+[,.])/, $text;
}

# Headwords at the margin, what they mean indented: "adware: Software which is free ..."
sub jargon {
    for my $entry (split /\n\n+(?=\S)/, read_text($_[0])) {
        my ($word, $meaning) = $entry =~ /^(\S[^\n]*)\n(?: \S[^\n]*\n)?\s*(.*)/s or next;
        next if $word =~ /^00-database/;
        $meaning =~ s/^\[[^]]*\] *//; # whose word it is
        $meaning =~ s/[{}]//g;
        document("$word: $meaning");
    }
}

# SWORD's module: FILE.bzs has the place and size of each book in FILE.bzz, which is OSIS.
sub bible {
    require Compress::Zlib;
    for my $index (@_) {
        my ($sizes, $books) = (read_bytes($index), read_bytes($index =~ s/s$/z/r));
        for my $i (0 .. length($sizes) / 12 - 1) {
            my ($at, $size) = unpack 'VV', substr $sizes, 12 * $i, 8;
            my $book = Compress::Zlib::uncompress(substr $books, $at, $size);
            die "$index: not a module of SWORD\n" unless defined $book;
            $book = decode('UTF-8', $book);
            $book =~ s/<\/?w\b[^>]*>//g;
            $book =~ s/<(note|title)\b[^>]*>.*?<\/\1>(?=(\p{L})?)/$2 ? ' ' : ''/gse;
            $book =~ s/<(?:l|lb|lg|div|chapter|verse)\b[^>]*>/ $&/g; # words end where lines do
            prose(map { s/<[^>]*>//gr } split /<(?:div|lg|chapter) eID="[^"]*"[^>]*>/, $book);
        }
    }
}

$reader->(@files);
close $_ or die "$folder: $!\n" for values %out;
print "$count{train} $bytes{train} $count{heldout} $bytes{heldout}\n";
