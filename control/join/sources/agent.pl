# rdv agent: waits at a relay for clients and joins each to one service of this machine. Perl 5.16 or newer.
# Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
# One process a half, and two a pair: each direction then needs no more than read and write.
use strict;
use warnings;
use Socket qw(:DEFAULT :crlf getaddrinfo IPPROTO_TCP TCP_NODELAY SO_KEEPALIVE SO_LINGER SOCK_STREAM);
use POSIX qw(:sys_wait_h);

my %env = %ENV;
my $pool = $env{RDV_POOL} < 1 ? 1 : $env{RDV_POOL} > 32 ? 32 : int $env{RDV_POOL};
my $service = "$env{RDV_HOST}:$env{RDV_HOST_PORT}";
my $deadline = time + $env{RDV_SECONDS};
my $parent = $$;
my (%halves, $news);
$SIG{PIPE} = 'IGNORE';

sub say_line { print STDERR "rdv: $_[0]\n" }

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

# Reads one answer, byte by byte: what follows its empty line belongs to the client.
sub read_head {
    my ($sock) = @_;
    my $head = '';
    while ($head !~ /$CRLF$CRLF\z/) {
        my $got = sysread $sock, $head, 1, length $head;
        die "the connection has ended\n" if !$got || length $head > 8192;
    }
    my ($status, $reason) = $head =~ m{\AHTTP/1\.1 (\d+) ?([^\r]*)} or die "not an answer of a relay\n";
    my %fields = map { /\A([^:]+): *(.*)\z/ ? (lc $1, $2) : () } split /$CRLF/, $head;
    return ($status, $reason, \%fields);
}

# A half, in a process of its own: it tells the main process in one line each what happens.
sub half {
    my ($delay) = @_;
    select undef, undef, undef, $delay;
    my $sock = dial($env{RDV_RELAY}, $env{RDV_PORT});
    write_all($sock, join $CRLF, 'GET /v1/agent HTTP/1.1', "Host: $env{RDV_RELAY}:$env{RDV_PORT}", 'Connection: Upgrade',
        'Upgrade: rdv/1', 'Expect: 100-continue', "Authorization: Bearer $env{RDV_TICKET}", '', '');
    while (1) {
        my ($status, $reason, $fields) = read_head($sock);
        if ($status == 100) { report('accepted') }
        elsif ($status == 101) { return join_service($sock, $fields->{'rdv-client'}, $fields->{'rdv-demand'} || 0) }
        elsif ($status == 401) { return report('end', 'the ticket has expired') }
        elsif ($status == 410) { return report('end', 'the inviter has ended the session') }
        else {
            sysread $sock, my $body, 4096;
            return report('end', 'another machine has taken over') if $status == 409 && ($body || '') =~ /"replaced"/;
            die "$status $reason\n";
        }
    }
}

sub report { syswrite $news, join(' ', @_) . "\n" }

sub join_service {
    my ($sock, $client, $demand) = @_;
    return if getppid() != $parent;
    report('paired', $demand, $client);
    my $target = eval { dial($env{RDV_HOST}, $env{RDV_HOST_PORT}) };
    if (!$target) {
        chomp(my $error = $@);
        report('closed', "$client, the service $service does not answer ($error)");
        return reset_all($sock);
    }
    pipe my $count, my $counted;
    my $up = fork // die "$!\n";
    if (!$up) {
        $SIG{TERM} = 'DEFAULT';
        my ($bytes, $whole) = copy($sock, $target);
        syswrite $counted, $bytes;
        if (!$whole) {
            reset_all($sock, $target);
            kill 'USR1', getppid();
            shutdown $target, 0; # Wakes the other direction, which may wait in its read.
        }
        POSIX::_exit(0);
    }
    close $counted;
    my $broken = 0;
    $SIG{USR1} = sub { $broken = 1 };
    $SIG{TERM} = sub { kill 'TERM', $up; POSIX::_exit(0) };
    my ($out, $whole) = copy($target, $sock, \$broken);
    if (!$whole) { reset_all($sock, $target); kill 'TERM', $up }
    my $in = '';
    1 while !defined sysread($count, $in, 64);
    waitpid $up, 0;
    report('closed', "$client, " . ($in || 'unknown') . " bytes in, $out bytes out");
}

# One direction: bytes, then its end; the other direction may go on. Gives the bytes, and whether the end was clean.
sub copy {
    my ($from, $to, $broken) = @_;
    my $bytes = 0;
    while (!($broken && $$broken)) {
        my $got = sysread $from, my $data, 65536;
        return ($bytes, 0) if !defined $got || $broken && $$broken;
        if (!$got) { shutdown $to, 1; return ($bytes, 1) }
        return ($bytes, 0) if !write_all($to, $data);
        $bytes += $got;
    }
    return ($bytes, 0);
}

sub write_all {
    my ($to, $data) = @_;
    my $done = 0;
    while ($done < length $data) {
        my $wrote = syswrite $to, $data, length($data) - $done, $done;
        return 0 if !defined $wrote;
        $done += $wrote;
    }
    return 1;
}

# Makes the coming close a reset (SO_LINGER with time 0), as the other side had one.
sub reset_all { setsockopt($_, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0) for @_ }

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
            say_line("ready: $env{RDV_ADDRESS} leads to $service, by perl; Ctrl-C ends it") if !$ready;
            say_line('the relay is back') if $away;
            ($ready, $away, $wanted, $delay, $window) = (1, 0, $pool, 0, 0.5);
        }
        elsif ($event eq 'paired') {
            my ($demand, $client) = split / /, $rest;
            $waiting--;
            start_half(0), $waiting++ while $waiting < ($demand > 32 ? 32 : $demand);
            say_line("opened: $client");
        }
        elsif ($event eq 'closed') { say_line("closed: $rest") }
        elsif ($event eq 'lost') {
            say_line("the relay $env{RDV_RELAY} is away ($rest); trying again") if !$away;
            $waiting--;
            ($away, $wanted, $delay) = (1, 1, 0.05 + rand $window);
            $window = $window < 4 ? $window * 2 : $window < 30 ? $window + 1 : 30;
        }
        elsif ($event eq 'end') { finish($rest, 0) }
    }
}
finish('the time of the invitation is over', 0);
