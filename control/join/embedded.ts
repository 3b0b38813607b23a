// Written by test/join/embedded.test.ts from the files in sources/.

/** The part of the join script that is the same for everybody. */
export const joinShell = `# What follows is the same for everybody. It dials out only, needs no root, and opens no port on this machine.
#   … | sh -s -- --yes           agree without being asked
#   … | RDV_METHOD=socat sh      use this program: rdv npx node python3 perl socat ncat nc bash
methods="rdv npx node python3 perl socat ncat nc bash"
[ -z "$ZSH_VERSION" ] || emulate sh
cr=$(printf '\\r')

main() {
  yes=
  for word in "$@"; do
    case $word in --yes | -y) yes=--yes ;; *) die "unknown option $word; the only one is --yes" ;; esac
  done
  have curl || have wget || die "needs curl or wget"
  choose_method
  case $method in rdv | npx) hand_over ;; esac # It asks by itself.
  ask_consent
  name_machine
  case $method in
    node) get_agent agent.mjs "$sha_mjs" && claim && set -- node --input-type=module - ;;
    python3) get_agent agent.py "$sha_py" && claim && set -- python3 - ;;
    perl) get_agent agent.pl "$sha_pl" && claim && set -- perl - ;;
    *) get_agent agent.sh "$sha_sh" && claim && eval "$agent" && exit ;;
  esac
  exec "$@" <<END
$agent
END
}

say() { printf 'rdv: %s\\n' "$*" >&2; }
die() { say "$*" && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

works() { # A program that is there may still be a stub, or too old.
  have "$1" || return 1
  case $1 in
    npx) within 10 npx_rdv --version ;;
    node) node --input-type=module -e 'import "node:net"' ;;
    python3) python3 -c 'import socket, threading' ;;
    perl) perl -MSocket=getaddrinfo -e 1 ;;
    nc | socat | ncat) have mkfifo && have dd ;;
    bash) have mkfifo && have dd && bash -c '(: </dev/tcp/127.0.0.1/1) 2>&1 | grep -qi refused' ;;
  esac >/dev/null 2>&1
}

npx_rdv() { # An rdv that is installed already: offline, npx fetches nothing by its name, and it leaves no files.
  export npm_config_offline=true npm_config_logs_max=0 npm_config_update_notifier=false NODE_DISABLE_COMPILE_CACHE=1
  exec npx --no-install rdv "$@"
}

within() { # SECONDS COMMAND...: as the command ends, or false when it takes longer
  left=$1 && shift
  "$@" </dev/null &
  while [ "$left" -gt 0 ] && kill -0 $! 2>/dev/null; do sleep 1 && left=$((left - 1)); done
  [ "$left" -gt 0 ] || kill $!
  wait $!
}

choose_method() {
  for method in \${RDV_METHOD:-$methods}; do
    case " $methods " in *" $method "*) works "$method" && break ;; esac
    method=
  done
  [ -n "$method" ] || die "cannot use \${RDV_METHOD:-any of: $methods}; install one of: $methods"
  half_close=yes note=
  case $method in
    bash) half_close= ;;
    nc) case $(nc -h 2>&1) in *Ncat*) ;; *) half_close= ;; esac ;;
  esac
  [ -n "$half_close" ] || note=", for interactive use only: an answer after the end of the question is lost"
}

hand_over() {
  say "uses $method"
  has_terminal && exec </dev/tty
  case $method in rdv) exec rdv join $yes "$url" ;; npx) npx_rdv join $yes "$url" ;; esac
}

has_terminal() { (: </dev/tty) 2>/dev/null; }

ask_consent() {
  format='+%Y-%m-%d %H:%M %Z'
  until=$(date -d "@$expires" "$format" 2>/dev/null || date -r "$expires" "$format" 2>/dev/null || echo "$expires_utc")
  cat >&2 <<END

  $inviter asks to reach a service of this machine:

    what   $host:$port
    from   $address (session $session)
    until  $until
    with   $method$note

  Nothing can be reached before you agree, and Ctrl-C ends it at any moment.

END
  [ -z "$yes" ] || return 0
  has_terminal || die "no terminal to ask on; to agree without being asked: curl -fsSL $url | sh -s -- --yes"
  printf '  Allow it? [y/N] ' >&2
  read -r answer </dev/tty || answer=
  case $answer in [Yy] | [Yy][Ee][Ss] | [Oo] | [Oo][Uu][Ii]) ;; *) die "not allowed; nothing was opened" ;; esac
}

get_agent() { # FILE SHA256: the agent's text is kept in a variable and never on disk
  if have curl; then agent=$(curl -fsSL --max-time 30 "$url/$1"); else agent=$(wget -qO- "$url/$1"); fi
  [ -n "$agent" ] || die "cannot get $url/$1"
  sum=$(printf '%s\\n' "$agent" | digest)
  [ -n "$sum" ] || say "no sha256sum, shasum or openssl here: $1 is used unchecked" && sum=\${sum:-$2}
  [ "$sum" = "$2" ] || die "$1 is not what this script was made for; ask for a new invitation"
}

name_machine() { # So that this machine, and no other, may come again with the same code. Nobody learns its number from this.
  machine=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')
  own=$(cat /etc/machine-id 2>/dev/null || sysctl -n kern.uuid kern.hostuuid 2>/dev/null) || return 0
  own=$(printf '%s %s %s %s\\n' "$own" "$(uname -n)" "$(id -u)" "$url" | digest)
  [ -z "$own" ] || machine=$own
}

digest() { { sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null | cut -c1-64; }

host_key() { # What the ssh server here shows to everybody who connects; the inviter can compare it.
  [ -n "$ssh" ] && have ssh-keyscan || return 0
  ssh-keyscan -T 3 -t ed25519 -p "$port" "$host" 2>/dev/null | sed -n 's/+/%2B/g; s/^[^# ]* \\(ssh-ed25519\\) \\([^ ]*\\)$/\\1+\\2/p'
}

claim() { # Exchanges the code for a ticket, which can only wait for connections of this one session.
  form="host=$(uname -n | tr -cd 'A-Za-z0-9._-')&user=$(id -un | tr -cd 'A-Za-z0-9._-')&method=$method&machine=$machine&hostkey=$(host_key)"
  if have curl; then
    answer=$(curl -sS --max-time 30 -H 'Accept: text/plain' -d "$form" -w '\\n%{http_code}' "$url/claim")
    case $answer in *200) ;; *) die "\${answer%????}" ;; esac
  else
    answer=$(wget -qO- --header='Accept: text/plain' --post-data="$form" "$url/claim") ||
      die "the invitation was refused; it is over, used by another machine, or out of reach"
  fi
  RDV_TICKET= RDV_RELAY= RDV_PORT= RDV_TLS= RDV_POOL=2 RDV_SECONDS=$((expires - $(date +%s)))
  while IFS='=' read -r key value; do
    case $key in
      relay) RDV_RELAY=$value ;; port) RDV_PORT=$value ;; ticket) RDV_TICKET=$value ;;
      tls) RDV_TLS=$value ;; pool) RDV_POOL=$value ;; left) RDV_SECONDS=$value ;;
    esac
  done <<END
$answer
END
  case $RDV_RELAY in '' | *[!A-Za-z0-9._:-]*) die "the answer to the claim names no relay" ;; esac
  case $RDV_TLS in *[!A-Za-z0-9_-]*) die "the answer to the claim is not understood" ;; esac
  case $RDV_PORT$RDV_POOL$RDV_SECONDS in *[!0-9]*) die "the answer to the claim is not understood" ;; esac
  RDV_HOST=$host RDV_HOST_PORT=$port RDV_ADDRESS=$address
  export RDV_TICKET RDV_RELAY RDV_PORT RDV_TLS RDV_POOL RDV_SECONDS RDV_HOST RDV_HOST_PORT RDV_ADDRESS
}

main "$@"
`;

/** The single-file agents that the join script fetches, and their SHA-256. */
export const joinFiles = {
  "agent.mjs": {
    type: "text/javascript",
    sha256: "2cd3aacbfb04c2595a47886f65c91d8c58adf0a96bc5cdc9c872392065aefa6d",
    text: `// rdv agent: waits at a relay for clients and joins each to one service of this machine. Node 14 or newer.
// Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import { connect } from "node:net";

const env = process.env;
const relay = { host: env.RDV_RELAY, port: Number(env.RDV_PORT) };
const target = { host: env.RDV_HOST, port: Number(env.RDV_HOST_PORT) };
const pool = Math.max(1, Math.min(32, Number(env.RDV_POOL)));
const service = \`\${target.host}:\${target.port}\`;
let waiting = 0;
let ready = false;
let away = false;
let window = 500;

const say = (text) => process.stderr.write(\`rdv: \${text}\\n\`);

function finish(reason, code) {
  say(reason);
  process.exit(code);
}

function fill(wanted) {
  while (waiting < Math.min(wanted, 32)) {
    waiting += 1;
    half();
  }
}

function dial(address, onConnect) {
  const socket = connect({ ...address, allowHalfOpen: true }, onConnect);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return socket;
}

function half() {
  let received = Buffer.alloc(0);
  let over = false;
  const socket = dial(relay, () =>
    socket.write(
      \`GET /v1/agent HTTP/1.1\\r\\nHost: \${relay.host}:\${relay.port}\\r\\nConnection: Upgrade\\r\\nUpgrade: rdv/1\\r\\n\` +
        \`Expect: 100-continue\\r\\nAuthorization: Bearer \${env.RDV_TICKET}\\r\\n\\r\\n\`,
    ),
  );
  const timer = setTimeout(() => lose("no answer in time"), 10_000);

  const onData = (chunk) => {
    received = Buffer.concat([received, chunk]);
    read(false);
  };
  const onEnd = () => read(true);
  const onError = (error) => lose(error.code ?? error.message);
  socket.on("data", onData).on("end", onEnd).on("error", onError);

  function read(ended) {
    const end = received.indexOf("\\r\\n\\r\\n");
    if (end < 0) {
      if (ended || received.length > 8192) lose("the connection has ended");
      return;
    }
    const [first, ...lines] = received.subarray(0, end).toString("latin1").split("\\r\\n");
    const status = Number(first.split(" ")[1]);
    const rest = received.subarray(end + 4);
    if (status === 100) {
      clearTimeout(timer);
      received = rest;
      accepted();
      read(ended);
    } else if (status === 101) {
      stop();
      socket.pause(); // Bytes that come before the service is there wait in the socket.
      const fields = new Map(
        lines.map((line) => [line.split(":")[0].toLowerCase(), line.replace(/^[^:]*: */, "")]),
      );
      paired(socket, fields.get("rdv-client") ?? "?", Number(fields.get("rdv-demand") ?? 0), rest);
    } else if (status === 401) finish("the ticket has expired", 0);
    else if (status === 410) finish("the inviter has ended the session", 0);
    else if (rest.includes('"replaced"')) finish("another machine has taken over", 0);
    else if (ended || status !== 409) lose(first.replace("HTTP/1.1 ", ""));
  }

  function stop() {
    over = true;
    clearTimeout(timer);
    socket.off("data", onData).off("end", onEnd).off("error", onError);
  }

  function lose(reason) {
    if (over) return;
    stop();
    socket.on("error", () => {}).destroy();
    lost(reason);
  }
}

function accepted() {
  if (!ready) say(\`ready: \${env.RDV_ADDRESS} leads to \${service}, by node; Ctrl-C ends it\`);
  else if (away) say("the relay is back");
  ready = true;
  away = false;
  window = 500;
  fill(pool);
}

/** One half at a time asks a relay that is away, after a random part of a window that doubles. */
function lost(reason) {
  waiting -= 1;
  if (!away) say(\`the relay \${relay.host} is away (\${reason}); trying again\`);
  away = true;
  if (waiting > 0) return;
  waiting = 1;
  setTimeout(half, 50 + Math.random() * window);
  window = window < 4_000 ? window * 2 : Math.min(window + 1_000, 30_000);
}

function paired(socket, client, demand, early) {
  waiting -= 1;
  fill(Math.max(pool, demand));
  say(\`opened: \${client}\`);
  // Only now: an idle connection to a service costs it a slot.
  const local = dial(target, () => {
    if (early.length > 0) local.write(early);
    socket.pipe(local);
    local.pipe(socket);
  });
  let refused = "";
  const counts = () => \`\${local.bytesWritten} bytes in, \${local.bytesRead} bytes out\`;
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) say(\`closed: \${client}, \${refused || counts()}\`);
  };
  const breakBoth = () => {
    for (const each of [socket, local])
      if (!each.destroyed) (each.resetAndDestroy ?? each.destroy).call(each);
  };
  socket.on("error", breakBoth).on("close", closed);
  local.on("close", closed).on("error", (error) => {
    if (error.syscall === "connect") refused = \`the service \${service} does not answer (\${error.code})\`;
    breakBoth();
  });
}

for (const [name, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 143],
])
  process.on(name, () => finish("stopped; nothing can be reached any more", code));
setTimeout(() => finish("the time of the invitation is over", 0), Number(env.RDV_SECONDS) * 1_000);
fill(1);
`,
  },
  "agent.py": {
    type: "text/x-python",
    sha256: "2168f583e3a16ec3a01a655783ce01460351c8dd506879a437cb1637016aeb43",
    text: `# rdv agent: waits at a relay for clients and joins each to one service of this machine. Python 3.5 or newer.
# Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import os, random, signal, socket, struct, sys, threading, time

env = os.environ
relay = (env["RDV_RELAY"], int(env["RDV_PORT"]))
target = (env["RDV_HOST"], int(env["RDV_HOST_PORT"]))
pool = max(1, min(32, int(env["RDV_POOL"])))
deadline = time.monotonic() + int(env["RDV_SECONDS"])
over = threading.Event()
lock = threading.RLock()
state = {"waiting": 0, "away": False, "ready": False, "failures": 0}


def say(text):
    with lock:
        sys.stderr.write("rdv: " + text + "\\n")
        sys.stderr.flush()


def finish(reason, code=0):
    with lock:
        if not over.is_set():
            over.set()
            say(reason)
            os._exit(code)  # Threads that wait for bytes end with the process.


def dial(address):
    sock = socket.create_connection(address, 10)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    return sock


def linger_none(sock):
    """Makes the coming close a reset (SO_LINGER with time 0), as the other side had one."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_head(sock):
    """Reads one answer, byte by byte: what follows its empty line belongs to the client."""
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        byte = sock.recv(1)
        if not byte or len(head) > 8192:
            raise OSError("the connection has ended")
        head += byte
    lines = head.decode("latin-1").split("\\r\\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return lines[0].split(" ", 2), {name.lower(): value for name, value in fields.items()}


def wait_for_client(sock):
    """Gives the client's address and how many more wait; None when the relay refused for a reason that may pass."""
    request = "GET /v1/agent HTTP/1.1\\r\\nHost: %s:%d\\r\\nConnection: Upgrade\\r\\nUpgrade: rdv/1\\r\\nExpect: 100-continue\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n"
    sock.settimeout(10)
    sock.sendall((request % (relay + (env["RDV_TICKET"],))).encode())
    while True:
        (_, status, *reason), fields = read_head(sock)
        if status == "100":
            sock.settimeout(None)
            accepted()
        elif status == "101":
            return fields.get("rdv-client", "?"), int(fields.get("rdv-demand", "0"))
        elif status == "401":
            finish("the ticket has expired")
        elif status == "410":
            finish("the inviter has ended the session")
        elif status == "409" and b'"replaced"' in sock.recv(4096):
            finish("another machine has taken over")
        else:
            raise OSError(" ".join([status] + reason))


def accepted():
    with lock:
        if not state["ready"]:
            say("ready: %s leads to %s:%d, by python3; Ctrl-C ends it" % (env["RDV_ADDRESS"], *target))
        elif state["away"]:
            say("the relay is back")
        state.update(ready=True, away=False, failures=0)
    fill(pool)


def fill(wanted):
    with lock:
        while state["waiting"] < min(wanted, 32):
            state["waiting"] += 1
            threading.Thread(target=half, daemon=True).start()


def lost(error):
    """One half at a time asks a relay that is away, after a random part of a window that doubles."""
    with lock:
        state["waiting"] -= 1
        if not state["away"]:
            say("the relay %s is away (%s); trying again" % (relay[0], error))
        state["away"] = True
        if state["waiting"] > 0:
            return
        state["waiting"] = 1
        state["failures"] += 1
        window = min(30 if state["failures"] > 15 else 4, 0.5 * 2 ** min(state["failures"], 9))
    time.sleep(random.uniform(0.05, window))
    with lock:
        state["waiting"] = 0
    fill(1)


def half():
    try:
        sock = dial(relay)
        client, demand = wait_for_client(sock)
    except (OSError, ValueError) as error:
        return lost(error)
    with lock:
        state["waiting"] -= 1
    fill(max(pool, demand))
    say("opened: " + client)
    pair = {"in": 0, "out": 0, "broken": False}
    try:
        service = dial(target)  # Only now: an idle connection to a service costs it a slot.
    except OSError as error:
        say("closed: %s, the service %s:%d does not answer (%s)" % (client, *target, error))
        linger_none(sock)
        return sock.close()
    back = threading.Thread(target=copy, args=(service, sock, pair, "out"), daemon=True)
    back.start()
    copy(sock, service, pair, "in")
    back.join()
    sock.close()
    service.close()
    say("closed: %s, %d bytes in, %d bytes out" % (client, pair["in"], pair["out"]))


def copy(source, sink, pair, way):
    """One direction: bytes, then its end; the other direction may go on. A broken side breaks both."""
    try:
        while True:
            data = source.recv(65536)
            if pair["broken"]:
                return
            if not data:
                return sink.shutdown(socket.SHUT_WR)
            sink.sendall(data)
            pair[way] += len(data)
    except OSError:
        pair["broken"] = True
        for sock in (source, sink):
            linger_none(sock)
            try:
                sock.shutdown(socket.SHUT_RD)  # Wakes the other direction, which may wait in recv.
            except OSError:
                pass


for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)):
    signal.signal(number, lambda *_, code=code: finish("stopped; nothing can be reached any more", code))
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
fill(1)
while time.monotonic() < deadline:
    time.sleep(min(1, max(0, deadline - time.monotonic())))
finish("the time of the invitation is over")
`,
  },
  "agent.pl": {
    type: "text/x-perl",
    sha256: "90438cbd80216a87d9e2f7664b796d36844d65a09476855b70d282655839ec2a",
    text: `# rdv agent: waits at a relay for clients and joins each to one service of this machine. Perl 5.16 or newer.
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

sub say_line { print STDERR "rdv: $_[0]\\n" }

sub dial {
    my ($host, $port) = @_;
    my ($error, @addresses) = getaddrinfo($host, $port, { socktype => SOCK_STREAM });
    die "$error\\n" if $error;
    for my $address (@addresses) {
        socket(my $sock, $address->{family}, SOCK_STREAM, 0) or next;
        local $SIG{ALRM} = sub { die "no answer in time\\n" };
        alarm 10;
        my $done = connect($sock, $address->{addr});
        alarm 0;
        next if !$done;
        setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, 1);
        setsockopt($sock, SOL_SOCKET, SO_KEEPALIVE, 1);
        return $sock;
    }
    die "$!\\n";
}

# Reads one answer, byte by byte: what follows its empty line belongs to the client.
sub read_head {
    my ($sock) = @_;
    my $head = '';
    while ($head !~ /$CRLF$CRLF\\z/) {
        my $got = sysread $sock, $head, 1, length $head;
        die "the connection has ended\\n" if !$got || length $head > 8192;
    }
    my ($status, $reason) = $head =~ m{\\AHTTP/1\\.1 (\\d+) ?([^\\r]*)} or die "not an answer of a relay\\n";
    my %fields = map { /\\A([^:]+): *(.*)\\z/ ? (lc $1, $2) : () } split /$CRLF/, $head;
    return ($status, $reason, \\%fields);
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
            die "$status $reason\\n";
        }
    }
}

sub report { syswrite $news, join(' ', @_) . "\\n" }

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
    my $up = fork // die "$!\\n";
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
    my ($out, $whole) = copy($target, $sock, \\$broken);
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
    my $pid = fork // die "rdv: cannot start a process: $!\\n";
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
pipe my $heard, $news or die "rdv: $!\\n";
my ($ready, $away, $waiting, $wanted, $delay, $window, $text) = (0, 0, 0, 1, 0, 0.5, '');
while (time < $deadline) {
    while ($waiting < $wanted) { $waiting++; start_half($delay) }
    while ((my $pid = waitpid -1, WNOHANG) > 0) { delete $halves{$pid} }
    vec(my $ears = '', fileno $heard, 1) = 1;
    next if select($ears, undef, undef, $deadline - time < 1 ? $deadline - time : 1) < 1;
    sysread $heard, $text, 4096, length $text;
    while ($text =~ s/\\A(\\w+) ?(.*)\\n//) {
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
`,
  },
  "agent.sh": {
    type: "text/x-shellscript",
    sha256: "4d358773a224d20f96acb755c393482b97ac1ac31eb7b6f976c2733fe036c490",
    text: `# rdv agent for socat, ncat, nc and bash: waits at a relay for clients and joins each to one service of this machine.
# The join script evaluates it. One process a half; each tells the main loop what happens through a named pipe.

serve() {
  dir=\${TMPDIR:-/tmp}/rdv-$machine
  (umask 077 && mkdir "$dir" && mkfifo "$dir/events") || die "cannot write to \${TMPDIR:-/tmp}"
  trap 'stop 130 "stopped; nothing can be reached any more"' INT
  trap 'stop 143 "stopped; nothing can be reached any more"' TERM HUP
  exec 5<>"$dir/events"
  last=0 halves=0 wanted=1 delay=0 failures=0 state=new
  start timer "$RDV_SECONDS"
  while :; do
    while [ "$halves" -lt "$wanted" ]; do
      halves=$((halves + 1))
      start half "$delay"
    done
    read -r event text <&5
    case $event in
      accepted)
        case $state in
          new) say "ready: $address leads to $host:$port, by $method; Ctrl-C ends it" ;;
          away) say "the relay is back" ;;
        esac
        state=up wanted=$RDV_POOL failures=0 delay=0 ;;
      paired) # DEMAND CLIENT: as many halves as clients still wait, up to 32, but never less than the pool
        halves=$((halves - 1)) demand=\${text%% *}
        wanted=$((demand > 32 ? 32 : demand > RDV_POOL ? demand : RDV_POOL))
        say "opened: \${text#* }" ;;
      closed) say "closed: $text" ;;
      lost) # One half at a time asks a relay that is away, after a random time.
        [ "$state" = away ] || say "the relay $RDV_RELAY is away ($text); trying again"
        halves=$((halves - 1)) wanted=1 failures=$((failures + 1)) state=away
        delay=$((1 + $(od -An -N1 -tu1 /dev/urandom) % (failures < 15 ? 3 : 30))) ;;
      end) stop 0 "$text" ;;
    esac
  done
}

start() { # FUNCTION ARGUMENT
  last=$((last + 1))
  "$1" "$dir/$last" "$2" &
  echo $! >"$dir/$last.pid"
}

stop() { # EXIT-CODE REASON
  trap '' INT TERM HUP
  rm -f "$dir/events" # Tells a process that is too young to hear the signal.
  kill $(cat "$dir"/*.pid 2>/dev/null) $! 2>/dev/null
  wait
  rm -rf "$dir"
  say "$2"
  exit "$1"
}

timer() { # NAME SECONDS
  trap 'kill $!; exit' TERM
  [ -e "$dir/events" ] || exit
  sleep "$2" &
  wait $! && echo "end the time of the invitation is over" >&5
}

half() { # NAME DELAY: dials the relay, waits for one client, joins it to the service
  dialled= copies=
  trap 'kill $dialled $copies $! 2>/dev/null; exit' TERM
  trap '' PIPE
  [ -e "$dir/events" ] || exit
  [ "$2" = 0 ] || { sleep "$2" & wait $!; }
  mkfifo "$1.up" "$1.down" "$1.to" "$1.from"
  exec 6<>"$1.up" 7<>"$1.down" # While somebody has both ends, nobody waits for a partner when opening one.
  dial "$RDV_RELAY" "$RDV_PORT" <"$1.up" >"$1.down" 5>&- 6>&- 7>&- &
  dialled=$!
  exec 4>"$1.up" 3<"$1.down" 6>&- 7>&-
  [ "$method$half_close" != nc ] || { (exec 3<&- 4>&- && watch "$dialled") & }
  printf '%s\\r\\n' 'GET /v1/agent HTTP/1.1' "Host: $RDV_RELAY:$RDV_PORT" 'Connection: Upgrade' 'Upgrade: rdv/1' \\
    'Expect: 100-continue' "Authorization: Bearer $RDV_TICKET" '' >&4 2>/dev/null
  news="lost no answer"
  while read -r _ code reason <&3; do
    client= demand=0
    while IFS= read -r line <&3 && [ "$line" != "$cr" ]; do
      line=\${line%"$cr"}
      case $line in
        [Rr]dv-[Cc]lient:*) client=\${line#*: } ;;
        [Rr]dv-[Dd]emand:*[0-9]) demand=$((\${line#*: } + 0)) ;;
      esac
    done
    case $code in
      100) echo accepted >&5 && news="lost the connection has ended" && continue ;;
      101) join "$1" && news="closed $client, $(bytes "$1.in") bytes in, $(bytes "$1.out") bytes out" ;;
      401) news="end the ticket has expired" ;;
      410) news="end the inviter has ended the session" ;;
      *)
        news="lost $code \${reason%"$cr"}"
        read -r body <&3
        case $code$body in 409*'"replaced"'*) news="end another machine has taken over" ;; esac ;;
    esac
    break
  done
  kill $dialled 2>/dev/null
  rm -f "$1".*
  echo "$news" >&5
}

join() { # NAME: only now is the service dialled
  kill -0 $$ 2>/dev/null || return 1 # The script itself was killed, so nobody agrees any more.
  echo "paired $demand $client" >&5
  relayed=$dialled
  exec 6<>"$1.to" 7<>"$1.from"
  dial "$host" "$port" <"$1.to" >"$1.from" 3<&- 4>&- 5>&- 6>&- 7>&- &
  serviced=$! dialled="$dialled $!"
  [ "$method$half_close" != nc ] || { (exec 3<&- 4>&- 6>&- 7>&- && watch "$serviced") & }
  (exec <&3 >"$1.to" 3<&- 4>&- 5>&- 6>&- 7>&- && copy "$1.in") &
  copies=$!
  (exec <"$1.from" >&4 3<&- 4>&- 5>&- 6>&- 7>&- && copy "$1.out") &
  copies="$copies $!"
  exec 3<&- 4>&- 6>&- 7>&- # Whoever keeps a pipe open hides its end from the reader.
  { wait "$serviced" || { sleep 1 && kill "$relayed"; }; wait; } 2>/dev/null
}

copy() { # COUNT: input to output
  LC_ALL=C dd bs=65536 2>"$1"
  [ -n "$half_close" ] || linger
}

bytes() { # COUNT
  count=unknown
  while read -r number word _; do [ "$word" != bytes ] || count=$number; done <"$1"
  echo "$count"
}

linger() { sleep 2 && kill $dialled 2>/dev/null; } # For tools that cannot say "my side has ended" and go on.

watch() { # PID: OpenBSD's nc does not tell when its peer has ended, but Linux does (state 08, nothing unread)
  while sleep 1 && socket=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*socket:\\[\\([0-9]*\\)\\]/\\1/p') && [ -n "$socket" ]; do
    ! grep -q " 08 [0-9A-F]*:00000000 .* $socket " /proc/net/tcp /proc/net/tcp6 2>/dev/null || { linger; return; }
  done
}

dial() { # HOST PORT: becomes the program whose input and output are the connection
  case $method in
    socat)
      case $1 in *:*) set -- "[$1]" "$2" ;; esac
      exec socat -t 600 'STDIN!!STDOUT,shut-close' "TCP:$1:$2,nodelay,keepalive,keepidle=30" ;;
    ncat) exec ncat "$1" "$2" ;;
    nc) exec nc "$1" "$2" ;;
    bash) exec bash -c 'trap "kill \\$a \\$b \\$!" EXIT; trap exit TERM; exec 3<>"/dev/tcp/$0/$1" || exit
      cat <&3 3>&- & a=$!; cat <&0 >&3 3>&- & b=$!; exec >&- 3>&-; wait $a $b' "$1" "$2" ;;
  esac 2>/dev/null
}

serve
`,
  },
} as const;
