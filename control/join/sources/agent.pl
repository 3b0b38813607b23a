# rdv agent: waits at a relay for clients and joins each to one service of this machine. Perl 5.16 or newer.
# Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
# One process a half, which tells the main process in one line each what happens.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use IO::Handle;
use Socket qw(:DEFAULT :crlf getaddrinfo IPPROTO_TCP TCP_NODELAY SO_KEEPALIVE SO_LINGER SOCK_STREAM);
use POSIX qw(:sys_wait_h);

my ($host, $port) = (qr/[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}/, qr/[1-9][0-9]{0,4}/);
my $client_shape = qr/(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}/;
my @relay = (setting('RDV_RELAY', $host), setting('RDV_PORT', $port));
my @target = (setting('RDV_HOST', $host), setting('RDV_HOST_PORT', $port));
my $ticket = setting('RDV_TICKET', qr/[A-Za-z0-9._-]{1,8000}/);
my $pin = setting('RDV_TLS', qr/(?:[A-Za-z0-9_-]{43})?/); # Empty: the relay speaks no TLS.
my $pool = setting('RDV_POOL', qr/[0-9]{1,4}/);
$pool = $pool < 1 ? 1 : $pool > 32 ? 32 : $pool;
my $deadline = time + setting('RDV_SECONDS', qr/[0-9]{1,7}/);
my $address = setting('RDV_ADDRESS', qr/[A-Za-z0-9._:\[\]-]{1,300}/);
my $service = join ':', @target;
my $parent = $$;
my (%halves, $news);
$SIG{PIPE} = 'IGNORE';
require Net::SSLeay, require Digest::SHA if $pin;

sub setting {
    my ($name, $shape) = @_;
    my $value = defined $ENV{$name} ? $ENV{$name} : '';
    return $value if $value =~ /\A$shape\z/;
    say_line("$name is not understood");
    exit 1;
}

# What others wrote must not steer a terminal or look like a line of ours: all that is shown or reported passes here.
sub plain {
    my ($text) = @_;
    $text =~ s/[^ -~]/?/g;
    return substr $text, 0, 300;
}

sub say_line { print STDERR 'rdv: ' . plain($_[0]) . "\n" }

sub report { syswrite $news, plain(join ' ', @_) . "\n" }

sub dial {
    my ($host, $port) = @_;
    my ($error, @addresses) = getaddrinfo($host, $port, { socktype => SOCK_STREAM });
    die "$error\n" if $error;
    for my $address (@addresses) {
        socket(my $sock, $address->{family}, SOCK_STREAM, 0) or next;
        local $SIG{ALRM} = sub { die "no answer in time\n" };
        alarm 10;
        my $done = connect($sock, $address->{addr});
        alarm 0;
        next if !$done;
        setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, 1);
        setsockopt($sock, SOL_SOCKET, SO_KEEPALIVE, 1);
        return $sock;
    }
    die "$!\n";
}

# A connection to the relay. With a pin in TLS 1.3, and with nobody but who has the relay's key: names, authorities and
# dates mean nothing.
sub dial_relay {
    my $leg = { sock => dial(@relay) };
    return $leg if !$pin;
    Net::SSLeay::load_error_strings();
    Net::SSLeay::SSLeay_add_ssl_algorithms();
    my $context = Net::SSLeay::CTX_new();
    Net::SSLeay::CTX_set_min_proto_version($context, Net::SSLeay::TLS1_3_VERSION());
    Net::SSLeay::CTX_set_mode($context, 3); # A write may be partial, and be tried again from another place in memory.
    $leg->{tls} = Net::SSLeay::new($context);
    Net::SSLeay::set_fd($leg->{tls}, fileno $leg->{sock});
    Net::SSLeay::connect($leg->{tls}) == 1 or die "it does not speak TLS 1.3\n";
    my $certificate = Net::SSLeay::get_peer_certificate($leg->{tls});
    my $key = Digest::SHA::sha256_base64(Net::SSLeay::X509_get_X509_PUBKEY($certificate)); # RFC 7469, section 2.4
    $key =~ tr{+/}{-_};
    die "it has another key than it should: somebody may be in between\n" if $key ne $pin;
    return $leg;
}

# What has come: bytes, '' at the end, undef for nothing yet. Dies when the connection broke; an end without
# close_notify was made by somebody on the way (RFC 8446, section 6.1).
sub receive {
    my ($leg, $most) = @_;
    if (!$leg->{tls}) {
        my $got = sysread($leg->{sock}, my $data, $most);
        return defined $got ? $data : again($!);
    }
    Net::SSLeay::ERR_clear_error();
    my ($data, $got) = Net::SSLeay::read($leg->{tls}, $most);
    return $data if $got > 0;
    my $error = Net::SSLeay::get_error($leg->{tls}, $got);
    return $error == 6 ? '' : $error == 2 || $error == 3 ? undef : die "the connection was cut\n";
}

# How much of it was taken.
sub transmit {
    my ($leg, $data) = @_;
    if (!$leg->{tls}) {
        my $wrote = syswrite $leg->{sock}, $data;
        return defined $wrote ? $wrote : again($!) || 0;
    }
    Net::SSLeay::ERR_clear_error();
    my $wrote = Net::SSLeay::write($leg->{tls}, $data);
    return $wrote if $wrote > 0;
    my $error = Net::SSLeay::get_error($leg->{tls}, $wrote);
    return $error == 2 || $error == 3 ? 0 : die "the connection was cut\n";
}

# Says that no more will come; the other direction goes on. False when it has to be said again.
sub end_sending {
    my ($leg) = @_;
    return 0 if $leg->{tls} && Net::SSLeay::shutdown($leg->{tls}) < 0;
    shutdown $leg->{sock}, 1;
    return 1;
}

sub again { $_[0] == EAGAIN || $_[0] == EINTR ? undef : die "$_[0]\n" }

# Makes the coming close a reset (SO_LINGER with time 0), as the other side had one.
sub reset_all { setsockopt($_->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0) for @_ }

# Reads one answer, byte by byte: what follows its empty line belongs to the client.
sub read_head {
    my ($leg) = @_;
    my $head = '';
    while ($head !~ /\r\n\r\n\z/) {
        my $byte = receive($leg, 1);
        next if !defined $byte;
        die "the connection has ended\n" if $byte eq '' || length $head > 8192;
        $head .= $byte;
    }
    my ($first, @lines) = split /\r\n/, $head;
    my ($status) = ($first || '') =~ m{\AHTTP/1\.1 ([1-5][0-9][0-9])(?: |\z)};
    return ($status || 0, \@lines);
}

# The value of a header, when it has the shape that it should have.
sub field {
    my ($lines, $name, $shape) = @_;
    my ($line) = grep { /\A$name:/i } @$lines;
    return ($line || '') =~ /\A[^:]*:[ \t]*($shape)[ \t]*\z/ ? $1 : undef;
}

# A half, in a process of its own.
sub half {
    my ($delay) = @_;
    select undef, undef, undef, $delay;
    local $SIG{ALRM} = sub { die "no answer in time\n" };
    alarm 20;
    my $leg = dial_relay();
    alarm 10;
    transmit($leg, join $CRLF, 'GET /v1/agent HTTP/1.1', 'Host: ' . join(':', @relay), 'Connection: Upgrade',
        'Upgrade: rdv/1', 'Expect: 100-continue', "Authorization: Bearer $ticket", '', '');
    while (1) {
        my ($status, $lines) = read_head($leg);
        alarm 0 if $status == 100 || $status == 101;
        if ($status == 100) { report('accepted') }
        elsif ($status == 101) {
            my $client = field($lines, 'rdv-client', $client_shape) || '?';
            return join_service($leg, $client, field($lines, 'rdv-demand', qr/[0-9]{1,4}/) || 0);
        }
        elsif ($status == 401) { return report('end', 'the ticket has expired') }
        elsif ($status == 410) { return report('end', 'the inviter has ended the session') }
        else {
            my $body = $status == 409 ? receive($leg, 4096) : '';
            return report('end', 'another machine has taken over') if ($body || '') =~ /"replaced"/;
            die $status ? "it answered $status\n" : "not an answer of a relay\n";
        }
    }
}

sub join_service {
    my ($leg, $client, $demand) = @_;
    return if getppid() != $parent;
    report('paired', $demand, $client);
    my $local = { sock => scalar eval { dial(@target) } };
    if (!$local->{sock}) {
        chomp(my $error = $@);
        report('closed', "$client, the service $service does not answer ($error)");
        return reset_all($leg);
    }
    my ($in, $out) = ({ from => $leg, to => $local }, { from => $local, to => $leg });
    $_->{sock}->blocking(0) for $leg, $local;
    $_->{data} = '', $_->{bytes} = 0 for $in, $out;
    eval { move_all($in, $out); 1 } or reset_all($leg, $local);
    report('closed', "$client, $in->{bytes} bytes in, $out->{bytes} bytes out");
}

# Both directions until both have ended; dies when a side broke.
sub move_all {
    while (my @open = grep { !$_->{done} } @_) {
        my ($ears, $mouths, $wait) = ('', '', undef);
        for my $flow (@open) {
            if ($flow->{ended} || $flow->{data} ne '') { vec($mouths, fileno $flow->{to}{sock}, 1) = 1; next }
            vec($ears, fileno $flow->{from}{sock}, 1) = 1;
            $wait = 0 if $flow->{from}{tls} && Net::SSLeay::pending($flow->{from}{tls});
        }
        select $ears, $mouths, undef, $wait;
        step($_) for @open;
    }
}

# One direction: bytes, then its end; the other direction may go on.
sub step {
    my ($flow) = @_;
    if (!$flow->{ended} && $flow->{data} eq '') {
        my $data = receive($flow->{from}, 65536);
        return if !defined $data;
        $flow->{data} = $data;
        $flow->{ended} = $data eq '';
    }
    if ($flow->{data} ne '') {
        my $wrote = transmit($flow->{to}, $flow->{data});
        substr $flow->{data}, 0, $wrote, '';
        $flow->{bytes} += $wrote;
    }
    $flow->{done} = end_sending($flow->{to}) if $flow->{ended};
}

sub start_half {
    my ($delay) = @_;
    my $pid = fork // die "rdv: cannot start a process: $!\n";
    if (!$pid) {
        $SIG{INT} = 'IGNORE';
        $SIG{TERM} = $SIG{HUP} = $SIG{CHLD} = 'DEFAULT';
        srand;
        if (!eval { half($delay); 1 }) { chomp(my $error = $@); report('lost', $error) }
        POSIX::_exit(0);
    }
    $halves{$pid} = 1;
}

sub finish {
    my ($text, $code) = @_;
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP);
    kill 'TERM', keys %halves;
    waitpid $_, 0 for keys %halves;
    say_line($text);
    exit $code;
}

my $stopped = 'stopped; nothing can be reached any more';
$SIG{INT} = sub { finish($stopped, 130) };
$SIG{TERM} = $SIG{HUP} = sub { finish($stopped, 143) };
pipe my $heard, $news or die "rdv: $!\n";
my ($ready, $away, $waiting, $wanted, $delay, $window, $text) = (0, 0, 0, 1, 0, 0.5, '');
while (time < $deadline) {
    while ($waiting < $wanted) { $waiting++; start_half($delay) }
    while ((my $pid = waitpid -1, WNOHANG) > 0) { delete $halves{$pid} }
    vec(my $ears = '', fileno $heard, 1) = 1;
    next if select($ears, undef, undef, $deadline - time < 1 ? $deadline - time : 1) < 1;
    sysread $heard, $text, 4096, length $text;
    while ($text =~ s/\A(\w+) ?(.*)\n//) {
        my ($event, $rest) = ($1, $2);
        if ($event eq 'accepted') {
            say_line("ready: $address leads to $service, by perl; Ctrl-C ends it") if !$ready;
            say_line('the relay is back') if $away;
            ($ready, $away, $wanted, $delay, $window) = (1, 0, $pool, 0, 0.5);
        }
        elsif ($event eq 'paired') {
            my ($demand, $client) = $rest =~ /\A([0-9]{1,4}) (\S+)\z/ or next;
            $waiting--;
            start_half(0), $waiting++ while $waiting < ($demand > 32 ? 32 : $demand);
            say_line("opened: $client");
        }
        elsif ($event eq 'closed') { say_line("closed: $rest") }
        elsif ($event eq 'lost') {
            say_line("the relay $relay[0] is away ($rest); trying again") if !$away;
            $waiting--;
            ($away, $wanted) = (1, 1);
            next if $waiting > 0; # One half at a time asks a relay that is away.
            $delay = 0.05 + rand $window;
            $window = $window < 4 ? $window * 2 : $window < 30 ? $window + 1 : 30;
        }
        elsif ($event eq 'end') { finish($rest, 0) }
    }
}
finish('the time of the invitation is over', 0);
