#!/usr/bin/perl
# browser.pl FILE.html [CHROMIUM]: shows a page in headless Chromium by its DevTools protocol.  Standard input has one command
# a line; what the page says stands on standard output.
#     size WIDTH HEIGHT   of the screen, in CSS pixels
#     media TYPE          such as print
#     media NAME VALUE    a media feature, such as prefers-color-scheme dark
#     load                the page anew, with a screen of 1280 x 900
#     say TEXT            prints the text
#     eval EXPRESSION     prints the value of a JavaScript expression
#     click SELECTOR      presses the mouse in the middle of the first such element
#     type TEXT           into the element that has the focus
#     shot FILE.png [page | SELECTOR]   what is seen, the whole page, or one element
#     pdf FILE.pdf        as it is printed
# Errors of the page, and what its policy blocks, are printed as "page: TEXT".
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use IO::Handle;
use IO::Select;
use JSON::PP;
use MIME::Base64;
use POSIX qw(dup2);
$| = 1;
my ($page, $program) = @ARGV;
$program //= 'chromium';
my $profile = tempdir(CLEANUP => 1);
pipe(my $their_in, my $out) or die "pipe: $!\n";
pipe(my $in, my $their_out) or die "pipe: $!\n";
my $child = fork // die "fork: $!\n";
if (!$child) {
    $^F = 9;
    my ($a, $b) = (POSIX::dup(fileno $their_in), POSIX::dup(fileno $their_out));
    dup2($a, 3);
    dup2($b, 4);
    $_ > 4 and POSIX::close($_) for fileno $out, fileno $in, $a, $b;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    { exec $program, qw(--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars
        --remote-debugging-pipe), "--user-data-dir=$profile", 'about:blank' }
    POSIX::_exit(127);
}
close $their_in;
close $their_out;
END { kill 'TERM', $child if $child; waitpid $child, 0 if $child }

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my ($number, $buffer, $type, $session, @features, %seen) = (0, '', '');

sub message { # the next one, undef after a minute
    while (1) {
        return $json->decode($1) if $buffer =~ s/^([^\0]*)\0//;
        IO::Select->new($in)->can_read(60) or return;
        sysread($in, $buffer, 1 << 20, length $buffer) or return;
    }
}

sub note { # of what the page complains
    my ($m) = @_;
    my $p = $m->{params};
    print "page: $p->{exceptionDetails}{exception}{description}\n" if $m->{method} eq 'Runtime.exceptionThrown';
    print "page: $p->{entry}{text}\n" if $m->{method} eq 'Log.entryAdded';
    $seen{$m->{method}}++;
}

sub call {
    my ($method, %with) = @_;
    my $id = ++$number;
    print $out $json->encode({id => $id, method => $method, params => \%with, $session ? (sessionId => $session) : ()}), "\0";
    $out->flush;
    while (my $m = message()) {
        note($m) if $m->{method};
        next if ($m->{id} // 0) != $id;
        die "$method: $m->{error}{message}\n" if $m->{error};
        return $m->{result};
    }
    die "$method: the browser does not answer\n";
}

sub value {
    my $r = call('Runtime.evaluate', expression => $_[0], returnByValue => JSON::PP::true, awaitPromise => JSON::PP::true);
    die "$_[0]: $r->{exceptionDetails}{exception}{description}\n" if $r->{exceptionDetails};
    return $r->{result}{value};
}

sub save {
    my ($path, $base64) = @_;
    open my $file, '>:raw', $path or die "$path: $!\n";
    print $file decode_base64($base64);
    close $file or die "$path: $!\n";
}

sub box { # of an element, in the page
    my $box = value("(e => { if (!e) return null; e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
        . "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height} })(document.querySelector("
        . $json->encode($_[0]) . "))") or die "$_[0]: there is no such element\n";
    return $box;
}

sub load {
    %seen = ();
    call('Page.navigate', url => 'file://' . abs_path($page));
    until ($seen{'Page.loadEventFired'}) {
        my $m = message() or die "$page: is not loaded\n";
        note($m) if $m->{method};
    }
    ($type, @features) = ('');
    call('Emulation.setEmulatedMedia', media => '', features => []);
    call('Emulation.setDeviceMetricsOverride', width => 1280, height => 900, deviceScaleFactor => 1, mobile => JSON::PP::false);
}

$session = call('Target.attachToTarget', flatten => JSON::PP::true,
    targetId => (grep { $_->{type} eq 'page' } @{call('Target.getTargets')->{targetInfos}})[0]{targetId})->{sessionId};
call("$_.enable") for qw(Page Runtime Log);
my %command = (
    size => sub { my ($w, $h) = split ' ', $_[0];
        call('Emulation.setDeviceMetricsOverride', width => $w + 0, height => $h + 0, deviceScaleFactor => 1,
            mobile => $w < 600 ? JSON::PP::true : JSON::PP::false) },
    media => sub { my ($name, $is) = split ' ', $_[0];
        $type = $name unless defined $is;
        @features = ((grep { $_->{name} ne $name } @features), {name => $name, value => $is}) if defined $is;
        call('Emulation.setEmulatedMedia', media => $type, features => \@features) },
    load => \&load,
    say => sub { print "$_[0]\n" },
    eval => sub { my $v = value($_[0]); print ref $v ? $json->encode($v) : $v // 'null', "\n" },
    click => sub { my $b = box($_[0]);
        my ($x, $y) = ($b->{x} - value('scrollX') + $b->{width} / 2, $b->{y} - value('scrollY') + $b->{height} / 2);
        call('Input.dispatchMouseEvent', type => $_, x => $x, y => $y, button => 'left', clickCount => 1)
            for qw(mousePressed mouseReleased) },
    type => sub { call('Input.insertText', text => $_[0]) },
    shot => sub { my ($path, $what) = split ' ', $_[0], 2;
        my %with = (format => 'png');
        $what = 'html' if ($what // '') eq 'page';
        @with{qw(captureBeyondViewport clip)} = (JSON::PP::true, {%{box($what)}, scale => 1}) if $what;
        save($path, call('Page.captureScreenshot', %with)->{data}) },
    pdf => sub { save($_[0], call('Page.printToPDF', printBackground => JSON::PP::false)->{data}) },
);
load();
while (my $line = <STDIN>) {
    my ($name, $rest) = $line =~ /^\s*(\w+)\s*(.*?)\s*$/ or next;
    ($command{$name} // die "$name: no such command\n")->($rest);
}
