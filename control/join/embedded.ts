// Written by test/join/embedded.test.ts from the files in sources/.

/** The part of the join script that is the same for everybody. */
export const joinShell = `# What follows is the same for everybody. It dials out only, needs no root, and opens no port on this machine.
#   … | sh -s -- --yes           agree without being asked
#   … | RDV_METHOD=socat sh      use this program: rdv npx node python3 perl socat ncat nc bash
methods="rdv npx node python3 perl socat ncat nc bash"
[ -z "$ZSH_VERSION" ] || emulate sh
cr=$(printf '\\r')

main() {
  yes= once=
  for word in "$@"; do
    case $word in --yes | -y) yes=--yes ;; *) die "unknown option $word; the only one is --yes" ;; esac
  done
  have curl || have wget || die "needs curl or wget"
  case $url in https:*) proto='=https' only="--proto '=https' " ;; *) proto='=http,https' only= ;; esac
  have curl || ! wget --help 2>&1 | grep -q max-redirect || once=--max-redirect=0
  choose_method
  case $method in rdv | npx) hand_over ;; esac # It asks by itself.
  LC_ALL=C # Patterns compare bytes.
  pin_target
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

say() { # What others wrote must not steer a terminal or look like a line of ours: all that is said passes here.
  printf '%s' "rdv: $*" | LC_ALL=C tr -c ' -~' '?' | cut -c1-300 >&2
}
die() { say "$*" && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

is_number() { # TEXT MAX: from 1 on, decimal
  case $1 in '' | 0* | *[!0-9]* | ????????*) return 1 ;; esac
  [ "$1" -le "$2" ]
}

is_host() { # Nothing that a program takes for an option, and of colons none or those of IPv6
  case $1 in '' | [-.]* | *[!A-Za-z0-9._:-]*) return 1 ;; *:*:*) ;; *:*) return 1 ;; esac
  [ "\${#1}" -le 253 ]
}

is_word() { case $1 in '' | *[!A-Za-z0-9._-]*) return 1 ;; esac; } # Of a ticket or a hash

works() { # A program that is there may still be a stub, or too old.
  have "$1" || return 1
  case $1 in
    npx) within 10 npx_rdv --version ;;
    node) node --input-type=module -e 'import { X509Certificate } from "node:crypto"' ;;
    python3) python3 -c 'import socket, ssl, threading' ;;
    perl) perl -MSocket=getaddrinfo -e 1 ;;
    nc | socat | ncat) have mkfifo && have dd ;;
    bash) have mkfifo && have dd && bash -c '(: </dev/tcp/127.0.0.1/1) 2>&1 | grep -qi refused' ;;
  esac >/dev/null 2>&1
}

encrypts() { # Whether the method can speak TLS 1.3 with the relay.
  case $method in
    node) ;;
    python3) python3 -c 'import ssl; assert ssl.HAS_TLSv1_3 and ssl.TLSVersion' ;;
    perl) perl -MNet::SSLeay -MDigest::SHA -e 'Net::SSLeay::TLS1_3_VERSION(), Net::SSLeay->can("CTX_set_min_proto_version") || die' ;;
    *) case $(openssl s_client -help 2>&1) in *-nocommands*) ;; *) return 1 ;; esac ;;
  esac >/dev/null 2>&1
}

npx_rdv() { # An rdv that is installed already: offline, npx fetches nothing by its name, and it leaves no files.
  export npm_config_offline=true npm_config_logs_max=0 npm_config_update_notifier=false NODE_DISABLE_COMPILE_CACHE=1
  exec npx --no-install @rdv-relay/cli "$@"
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
  half_close=yes note= tls_by=openssl
  case $method in
    bash) half_close= ;;
    nc) case $(nc -h 2>&1) in *Ncat*) ;; *) half_close= ;; esac ;;
  esac
  case $method/$(socat -hhh 2>/dev/null) in socat/*openssl-no-sni*) tls_by=socat ;; esac
  plain=
  encrypts || plain="$method cannot encrypt it here"
  [ -n "$relay_tls" ] || plain="the relay has no TLS"
  way="in TLS, with the relay's key"
  [ -z "$plain" ] || way="in plain TCP, not encrypted: $plain"
  case $method/$tls_by$plain in [snb]*/openssl) carries= ;; *) carries=$half_close ;; esac
  [ -n "$carries" ] || note=", for interactive use only: an answer after the end of the question is lost"
}

hand_over() {
  say "uses $method"
  has_terminal && exec </dev/tty
  case $method in rdv) exec rdv join $yes "$url" ;; npx) npx_rdv join $yes "$url" ;; esac
}

has_terminal() { (: </dev/tty) 2>/dev/null; }

pin_target() { # A name is looked up once: what is shown is what is dialled, whatever the name means later.
  is_host "$host" && is_number "$port" 65535 || die "the invitation names no host and port: $host:$port"
  case $host in
    localhost) at=127.0.0.1 ;;
    *:*) at=$host ;;
    *) case \${host##*.} in
      0[xX]*) at=$host ;; # Resolvers take such names for addresses.
      *[!0-9]*) at=$(look_up | sed -n '1s/^\\([0-9A-Fa-f.:]*\\).*/\\1/p') ;;
      *) at=$host ;;
    esac ;;
  esac
  at=$(printf '%s' "$at" | tr A-F a-f) word=y
  case $at in # An IPv6 address has one spelling (RFC 5952), in which the delicate ones are known.
    0[0-9a-f]* | *:0[0-9a-f]* | 0:* | *:0:0:* | *:0:0 | *:0::* | *::0 | *::0:* | *:::* | *:*.*) die "$host is no address as it is written in short" ;;
    *:*) case $at in *[!0-9a-f:]*) die "$host is no address" ;; esac ;;
  esac
  case $at in
    '') die "cannot look $host up here; ask for an invitation that names an address" ;;
    *:*) ;;
    *[!0-9.]* | .* | *. | *..* | *.*.*.*.* | 0* | *.0[0-9]* | *[0-9][0-9][0-9][0-9]*) die "$host is no address as four decimal bytes" ;;
    *.*.*.*) ;;
    *) die "$host is no address as four decimal bytes" ;;
  esac
  case $at in
    :: | ff??:* | 22[4-9].* | 23?.* | 24?.* | 25?.*) die "$host is no address of one machine" ;;
    ::1) ;;
    169.254.* | fe[89ab]?:* | 100.100.100.200 | 168.63.129.16 | 192.0.0.192 | fd00:ec2::* | fd20:ce::254 | fd00:c1::* | fd00:42::42 | \\
      ::* | 64:ff9b:* | 2002:*) word=$at ;; # The last ones may stand for an IPv4 address.
  esac
  what=$host:$port
  [ "$at" = "$host" ] || what="$what, which is $at"
}

look_up() { # IPv4 first: a service that listens on one address listens there.
  if have getent; then
    getent ahostsv4 "$host" || getent ahosts "$host" || getent hosts "$host"
  elif have dscacheutil; then
    dscacheutil -q host -a name "$host" | sed -n 's/^ip_address: //p'
  else
    case $method in
      node) node -e 'require("dns").lookup(process.argv[1], { verbatim: false }, (no, at) => no || console.log(at))' "$host" ;;
      python3) python3 -c 'import socket, sys; print(min(socket.getaddrinfo(sys.argv[1], 0))[4][0])' "$host" ;;
      perl) perl -MSocket -e 'my $at = gethostbyname $ARGV[0]; print inet_ntoa($at) if $at' "$host" ;;
    esac
  fi 2>/dev/null
}

ask_consent() {
  format='+%Y-%m-%d %H:%M %Z'
  until=$(date -d "@$expires" "$format" 2>/dev/null || date -r "$expires" "$format" 2>/dev/null || echo "$expires_utc")
  cat >&2 <<END

  $inviter asks to reach a service of this machine:

    what   $what
    from   $address (session $session)
    until  $until
    with   $method$note
    relay  $way

  Nothing can be reached before you agree, and Ctrl-C ends it at any moment.

END
  [ "$word" = y ] || { ask_address; return; }
  [ -z "$yes" ] || return 0
  has_terminal || die "no terminal to ask on; to agree without being asked: curl $only-fsSL $url | sh -s -- --yes"
  printf '  Allow it? [y/N] ' >&2
  read -r answer </dev/tty || answer=
  case $answer in [Yy] | [Yy][Ee][Ss] | [Oo] | [Oo][Uu][Ii]) ;; *) die "not allowed; nothing was opened" ;; esac
}

ask_address() { # --yes was said before anybody knew that the target is of this kind.
  [ "$RDV_YES" != "$at" ] || return 0
  has_terminal || die "$at is link-local, or gives out a cloud's secrets; to agree without being asked, set RDV_YES=$at, too"
  printf '  This address is no ordinary service: it may give out the secrets of this machine.\\n' >&2
  printf '  To allow it all the same, type the address: ' >&2
  read -r answer </dev/tty || answer=
  [ "$answer" = "$at" ] || die "not allowed; nothing was opened"
}

get_agent() { # FILE SHA256: the agent's text is kept in a variable and never on disk
  if have curl; then
    agent=$(curl --proto "$proto" -fsS --max-time 30 "$url/$1" | head -c 200000)
  else
    agent=$(within 30 wget $once -qO- "$url/$1" 2>/dev/null | head -c 200000)
  fi
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
  ssh-keyscan -T 3 -t ed25519 -p "$port" "$at" 2>/dev/null |
    sed -n 's/^[^# ]* ssh-ed25519 \\([A-Za-z0-9+/]\\{40,100\\}=*\\)$/\\1/p' | sed 's/+/%2B/g; s/^/ssh-ed25519+/; q'
}

claim() { # Exchanges the code for a ticket, which can only wait for connections of this one session.
  form="host=$(uname -n | tr -cd 'A-Za-z0-9._-')&user=$(id -un | tr -cd 'A-Za-z0-9._-')&method=$method&machine=$machine&hostkey=$(host_key)"
  if have curl; then
    answer=$(curl --proto "$proto" -sS --max-time 30 -H 'Accept: text/plain' -d "$form" -w '\\n%{http_code}' "$url/claim" 2>/dev/null | head -c 20000)
    words=$(printf '%s' "\${answer%????}")
    case $answer in *200) ;; *) die "the invitation was refused: \${words:-no answer from $url}" ;; esac
  else
    answer=$(within 30 wget $once -qO- --header='Accept: text/plain' --post-data="$form" "$url/claim" 2>/dev/null | head -c 20000)
    [ -n "$answer" ] ||
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
  is_host "$RDV_RELAY" && is_number "$RDV_PORT" 65535 && is_number "$RDV_POOL" 32 && is_number "$RDV_SECONDS" 9999999 &&
    is_word "$RDV_TICKET" && [ "\${#RDV_TICKET}" -le 8192 ] && case $RDV_TLS in '') ;; *) is_word "$RDV_TLS" && [ "\${#RDV_TLS}" = 43 ] ;; esac ||
    die "the answer to the claim is not understood"
  [ -n "$RDV_TLS$plain" ] || die "the relay has no TLS, against what was agreed to; ask for a new invitation"
  [ -z "$plain" ] || RDV_TLS=
  RDV_HOST=$at RDV_HOST_PORT=$port RDV_ADDRESS=$address
  export RDV_TICKET RDV_RELAY RDV_PORT RDV_TLS RDV_POOL RDV_SECONDS RDV_HOST RDV_HOST_PORT RDV_ADDRESS
}

main "$@"
`;

/** The single-file agents that the join script fetches, and their SHA-256. */
export const joinFiles = {
  "agent.mjs": {
    type: "text/javascript",
    sha256: "2749d7979f3be61a87f878ad1153cb88a871ec90df96c1b1f98be1ef738af494",
    text: `// rdv agent: waits at a relay for clients and joins each to one service of this machine. Node 16 or newer.
// Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";

const hostShape = /^[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}$/;
const portShape = /^[1-9][0-9]{0,4}$/;
const clientShape = /^([0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[[0-9A-Fa-f:.]{2,45}\\]):[0-9]{1,5}$/;
const relay = { host: setting("RDV_RELAY", hostShape), port: Number(setting("RDV_PORT", portShape)) };
const target = { host: setting("RDV_HOST", hostShape), port: Number(setting("RDV_HOST_PORT", portShape)) };
const ticket = setting("RDV_TICKET", /^[A-Za-z0-9._-]{1,8000}$/);
const pin = setting("RDV_TLS", /^([A-Za-z0-9_-]{43})?$/); // Empty: the relay speaks no TLS.
const pool = Math.max(1, Math.min(32, Number(setting("RDV_POOL", /^[0-9]{1,4}$/))));
const seconds = Number(setting("RDV_SECONDS", /^[0-9]{1,7}$/));
const address = setting("RDV_ADDRESS", /^[A-Za-z0-9._:[\\]-]{1,300}$/);
const service = \`\${target.host}:\${target.port}\`;
const secureContext = createSecureContext({ minVersion: "TLSv1.3", ca: [] });
let waiting = 0;
let ready = false;
let away = false;
let window = 500;

function setting(name, shape) {
  const value = process.env[name] ?? "";
  if (!shape.test(value)) finish(\`\${name} is not understood\`, 1);
  return value;
}

/** All that is shown passes here: what others wrote must not steer a terminal or look like a line of ours. */
function say(text) {
  process.stderr.write(\`rdv: \${text.replace(/[^ -~]/g, "?").slice(0, 300)}\\n\`);
}

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

/** With a pin TLS 1.3, and with nobody but who has the relay's key: names, authorities and dates mean nothing. */
function dialRelay(onReady, onError) {
  if (!pin) return keepAlive(connect({ ...relay, allowHalfOpen: true }, onReady)).on("error", onError);
  const options = { ...relay, allowHalfOpen: true, secureContext, rejectUnauthorized: false };
  const secure = connectTls(options, () => {
    refuseTruncation(secure);
    if (fingerprint(secure.getPeerX509Certificate()) === pin) onReady();
    else onError(new Error("it has another key than it should: somebody may be in between"));
  });
  return keepAlive(secure).on("error", onError);
}

function keepAlive(socket) {
  return socket.setNoDelay(true).setKeepAlive(true, 30_000);
}

/** SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 7469, section 2.4). */
function fingerprint(certificate) {
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64url");
}

/**
 * An end without close_notify was made by somebody on the way (RFC 8446, section 6.1): a reset and no end. Node does
 * not tell them apart, but only one that came as FIN has stopped the reading below, so that it can be started.
 */
function refuseTruncation(secure) {
  const handle = secure._handle;
  const { onread, _parent: below } = handle;
  handle.onread = function (bytes) {
    if (bytes || handle.reading === false || below.readStart() !== 0) return onread.call(this, bytes);
    secure.destroy(new Error("the connection was cut"));
  };
}

function half() {
  let received = Buffer.alloc(0);
  let over = false;
  const socket = dialRelay(
    () =>
      socket.write(
        \`GET /v1/agent HTTP/1.1\\r\\nHost: \${relay.host}:\${relay.port}\\r\\nConnection: Upgrade\\r\\nUpgrade: rdv/1\\r\\n\` +
          \`Expect: 100-continue\\r\\nAuthorization: Bearer \${ticket}\\r\\n\\r\\n\`,
      ),
    onError,
  );
  const timer = setTimeout(() => lose("no answer in time"), 10_000);
  socket.on("data", onData).on("end", onEnd);

  function onError(error) {
    lose(error.code ?? error.message);
  }

  function onEnd() {
    read(true);
  }

  function onData(chunk) {
    received = Buffer.concat([received, chunk]);
    read(false);
  }

  function read(ended) {
    if (over) return;
    const end = received.subarray(0, 8192).indexOf("\\r\\n\\r\\n");
    if (end < 0) {
      if (ended || received.length > 8192) lose("the connection has ended");
      return;
    }
    const [first, ...lines] = received.subarray(0, end).toString("latin1").split("\\r\\n");
    const [, status] = /^HTTP\\/1\\.1 ([1-5][0-9][0-9])( |$)/.exec(first) ?? [];
    const rest = received.subarray(end + 4);
    if (status === "100") {
      clearTimeout(timer);
      received = rest;
      accepted();
      read(ended);
    } else if (status === "101") {
      stop();
      socket.pause(); // Bytes that come before the service is there wait in the socket.
      paired(
        socket,
        field(lines, "rdv-client", clientShape) ?? "?",
        Number(field(lines, "rdv-demand", /^[0-9]{1,4}$/) ?? 0),
        rest,
      );
    } else if (status === "401") finish("the ticket has expired", 0);
    else if (status === "410") finish("the inviter has ended the session", 0);
    else if (status === "409" && rest.includes('"replaced"')) finish("another machine has taken over", 0);
    else if (ended || status !== "409" || rest.length > 8192) lose(\`it answered \${status ?? "no HTTP"}\`);
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

/** The value of a header, when it has the shape that it should have. */
function field(lines, name, shape) {
  const line = lines.find((each) => each.toLowerCase().startsWith(\`\${name}:\`));
  const value = line?.slice(name.length + 1).trim() ?? "";
  return shape.test(value) ? value : undefined;
}

function accepted() {
  if (!ready) say(\`ready: \${address} leads to \${service}, by node; Ctrl-C ends it\`);
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
  const local = connect({ ...target, allowHalfOpen: true }, () => {
    if (early.length > 0) local.write(early);
    socket.pipe(local);
    local.pipe(socket);
  });
  keepAlive(local);
  let refused = "";
  const counts = () => \`\${local.bytesWritten} bytes in, \${local.bytesRead} bytes out\`;
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) say(\`closed: \${client}, \${refused || counts()}\`);
  };
  const breakBoth = () => {
    for (const each of [socket, local])
      if (each.encrypted)
        each.destroy(); // Without close_notify, which is a reset.
      else if (!each.destroyed) (each.resetAndDestroy ?? each.destroy).call(each);
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
setTimeout(() => finish("the time of the invitation is over", 0), seconds * 1_000);
fill(1);
`,
  },
  "agent.py": {
    type: "text/x-python",
    sha256: "3978db13cd5eaaccc3cb228e2059a803342a45f2513f76575ee61e70f3b435e5",
    text: `# rdv agent: waits at a relay for clients and joins each to one service of this machine. Python 3.5 or newer; TLS needs 3.7.
# Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import base64, hashlib, os, random, re, signal, socket, ssl, struct, sys, threading, time

over = threading.Event()
lock = threading.RLock()
state = {"waiting": 0, "away": False, "ready": False, "failures": 0}


def say(text):
    """All that is shown passes here: what others wrote must not steer a terminal or look like a line of ours."""
    with lock:
        sys.stderr.write("rdv: " + re.sub("[^ -~]", "?", text)[:300] + "\\n")
        sys.stderr.flush()


def finish(reason, code=0):
    with lock:
        if not over.is_set():
            over.set()
            say(reason)
            os._exit(code)  # Threads that wait for bytes end with the process.


def setting(name, shape):
    value = os.environ.get(name, "")
    if not re.fullmatch(shape, value):
        finish(name + " is not understood", 1)
    return value


host_shape, port_shape = "[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}", "[1-9][0-9]{0,4}"
client_shape = r"([0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[[0-9A-Fa-f:.]{2,45}\\]):[0-9]{1,5}"
relay = (setting("RDV_RELAY", host_shape), int(setting("RDV_PORT", port_shape)))
target = (setting("RDV_HOST", host_shape), int(setting("RDV_HOST_PORT", port_shape)))
ticket = setting("RDV_TICKET", "[A-Za-z0-9._-]{1,8000}")
pin = setting("RDV_TLS", "([A-Za-z0-9_-]{43})?")  # Empty: the relay speaks no TLS.
pool = max(1, min(32, int(setting("RDV_POOL", "[0-9]{1,4}"))))
deadline = time.monotonic() + int(setting("RDV_SECONDS", "[0-9]{1,7}"))
address = setting("RDV_ADDRESS", r"[A-Za-z0-9._:\\[\\]-]{1,300}")


def dial(address):
    sock = socket.create_connection(address, 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    return sock


class Plain:
    """A connection: one thread may read it while another writes."""

    def __init__(self, sock):
        self.sock = sock

    def recv(self, size):
        return self.sock.recv(size)

    def sendall(self, data):
        self.sock.sendall(data)

    def end(self):
        """Nothing more will be sent; the other direction goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Makes the coming close a reset (SO_LINGER with time 0), and wakes who waits in recv."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            self.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def close(self):
        self.sock.close()


class Secure(Plain):
    """The same in TLS 1.3, with whoever has the relay's key and nobody else. TLS works in memory here: Python's
    own TLS sockets can neither be read and written at once nor end one direction alone."""

    def __init__(self, sock):
        super().__init__(sock)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # The key is compared, and nothing else.
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.received, self.to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.received, self.to_send)
        self.lock = threading.Lock()  # Never held while somebody waits for the network.
        self.text, self.ended = b"", False
        self.handshake()
        if fingerprint(self.tls.getpeercert(True)) != pin:
            raise OSError("it has another key than it should: somebody may be in between")

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                return self.flush()
            except ssl.SSLWantReadError:
                self.flush()
                self.received.write(self.read())

    def flush(self):
        self.sock.sendall(self.to_send.read())

    def read(self):
        raw = self.sock.recv(16384)
        if not raw:  # Before close_notify, so somebody on the way made it: a reset and no end (RFC 8446, section 6.1).
            raise OSError("the connection was cut")
        return raw

    def recv(self, size):
        while not self.text and not self.ended:
            raw = self.read()
            with self.lock:
                self.received.write(raw)
                self.decrypt()
        data, self.text = self.text[:size], self.text[size:]
        return data

    def decrypt(self):
        """All that has come: what stayed would be lost at \`unwrap\`."""
        try:
            while not self.ended:
                data = self.tls.read(65536)
                self.text += data
                self.ended = not data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True

    def sendall(self, data):
        while data:
            with self.lock:
                data = data[self.tls.write(data) :]
                raw = self.to_send.read()
            self.sock.sendall(raw)

    def end(self):
        with self.lock:
            try:
                self.tls.unwrap()  # Says close_notify, and would like to read the other side's.
            except ssl.SSLWantReadError:
                pass
        self.flush()
        super().end()


def fingerprint(certificate):
    """SHA-256 of the SubjectPublicKeyInfo (RFC 7469, 2.4), which is the seventh field of what is signed (RFC 5280, 4.1)."""
    _, at, end = element(certificate, 0, len(certificate), 0x30)
    _, at, end = element(certificate, at, end, 0x30)
    for tag in (0xA0, 0x02, 0x30, 0x30, 0x30, 0x30):  # Version, serial number, algorithm, issuer, validity, subject.
        _, _, at = element(certificate, at, end, tag)
    start, _, at = element(certificate, at, end, 0x30)
    return base64.urlsafe_b64encode(hashlib.sha256(certificate[start:at]).digest()).decode().rstrip("=")


def element(der, at, end, tag):
    """Where the element at \`at\` starts, and where its content starts and ends; it must have this tag and lie before \`end\`."""
    size, start = der[at + 1], at + 2
    if size > 0x80:
        start += size - 0x80
        size = int.from_bytes(der[at + 2 : start], "big")
    if der[at] != tag or der[at + 1] in (0x80, 0xFF) or start + size > end:
        raise OSError("its certificate is not understood")
    return at, start, start + size


def read_head(leg):
    """Reads one answer, byte by byte: what follows its empty line belongs to the client."""
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        byte = leg.recv(1)
        if not byte or len(head) > 8192:
            raise OSError("the connection has ended")
        head += byte
    first, *lines = head.decode("latin-1").split("\\r\\n")
    status = re.fullmatch("HTTP/1[.]1 ([1-5][0-9][0-9])( .*)?", first)
    return status.group(1) if status else "no HTTP", lines


def field(lines, name, shape):
    """The value of a header, when it has the shape that it should have."""
    for line in lines:
        if line.lower().startswith(name + ":"):
            value = line[len(name) + 1 :].strip(" \\t")
            return value if re.fullmatch(shape, value) else None


def wait_for_client(leg):
    """Gives the client's address and how many more wait; throws when the relay refused for a reason that may pass."""
    request = "GET /v1/agent HTTP/1.1\\r\\nHost: %s:%d\\r\\nConnection: Upgrade\\r\\nUpgrade: rdv/1\\r\\nExpect: 100-continue\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n"
    leg.sendall((request % (relay + (ticket,))).encode())
    while True:
        status, lines = read_head(leg)
        if status == "100":
            leg.sock.settimeout(None)
            accepted()
        elif status == "101":
            demand = field(lines, "rdv-demand", "[0-9]{1,4}")
            return field(lines, "rdv-client", client_shape) or "?", int(demand or 0)
        elif status == "401":
            finish("the ticket has expired")
        elif status == "410":
            finish("the inviter has ended the session")
        elif status == "409" and b'"replaced"' in leg.recv(4096):
            finish("another machine has taken over")
        else:
            raise OSError("it answered " + status)


def accepted():
    with lock:
        if not state["ready"]:
            say("ready: %s leads to %s:%d, by python3; Ctrl-C ends it" % (address, *target))
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
        leg = Secure(sock) if pin else Plain(sock)
        client, demand = wait_for_client(leg)
    except (OSError, ValueError, IndexError) as error:
        return lost(error)
    with lock:
        state["waiting"] -= 1
    fill(max(pool, demand))
    say("opened: " + client)
    pair = {"in": 0, "out": 0, "broken": False}
    try:
        service = Plain(dial(target))  # Only now: an idle connection to a service costs it a slot.
    except OSError as error:
        say("closed: %s, the service %s:%d does not answer (%s)" % (client, *target, error))
        leg.reset()
        return leg.close()
    for each in (leg, service):
        each.sock.settimeout(None)
    back = threading.Thread(target=copy, args=(service, leg, pair, "out"), daemon=True)
    back.start()
    copy(leg, service, pair, "in")
    back.join()
    leg.close()
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
                return sink.end()
            sink.sendall(data)
            pair[way] += len(data)
    except OSError:
        pair["broken"] = True
        for each in (source, sink):
            each.reset()


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
    sha256: "3a45ae734b66f643a44d333df3bc41dd639b68b1b3f3172c700de82a1c9defef",
    text: `# rdv agent: waits at a relay for clients and joins each to one service of this machine. Perl 5.16 or newer.
# Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
# One process a half, which tells the main process in one line each what happens.
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use IO::Handle;
use Socket qw(:DEFAULT :crlf getaddrinfo IPPROTO_TCP TCP_NODELAY SO_KEEPALIVE SO_LINGER SOCK_STREAM);
use POSIX qw(:sys_wait_h);

my ($host, $port) = (qr/[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}/, qr/[1-9][0-9]{0,4}/);
my $client_shape = qr/(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3}|\\[[0-9A-Fa-f:.]{2,45}\\]):[0-9]{1,5}/;
my @relay = (setting('RDV_RELAY', $host), setting('RDV_PORT', $port));
my @target = (setting('RDV_HOST', $host), setting('RDV_HOST_PORT', $port));
my $ticket = setting('RDV_TICKET', qr/[A-Za-z0-9._-]{1,8000}/);
my $pin = setting('RDV_TLS', qr/(?:[A-Za-z0-9_-]{43})?/); # Empty: the relay speaks no TLS.
my $pool = setting('RDV_POOL', qr/[0-9]{1,4}/);
$pool = $pool < 1 ? 1 : $pool > 32 ? 32 : $pool;
my $deadline = time + setting('RDV_SECONDS', qr/[0-9]{1,7}/);
my $address = setting('RDV_ADDRESS', qr/[A-Za-z0-9._:\\[\\]-]{1,300}/);
my $service = join ':', @target;
my $parent = $$;
my (%halves, $news);
$SIG{PIPE} = 'IGNORE';
require Net::SSLeay, require Digest::SHA if $pin;

sub setting {
    my ($name, $shape) = @_;
    my $value = defined $ENV{$name} ? $ENV{$name} : '';
    return $value if $value =~ /\\A$shape\\z/;
    say_line("$name is not understood");
    exit 1;
}

# What others wrote must not steer a terminal or look like a line of ours: all that is shown or reported passes here.
sub plain {
    my ($text) = @_;
    $text =~ s/[^ -~]/?/g;
    return substr $text, 0, 300;
}

sub say_line { print STDERR 'rdv: ' . plain($_[0]) . "\\n" }

sub report { syswrite $news, plain(join ' ', @_) . "\\n" }

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
    Net::SSLeay::connect($leg->{tls}) == 1 or die "it does not speak TLS 1.3\\n";
    my $certificate = Net::SSLeay::get_peer_certificate($leg->{tls});
    my $key = Digest::SHA::sha256_base64(Net::SSLeay::X509_get_X509_PUBKEY($certificate)); # RFC 7469, section 2.4
    $key =~ tr{+/}{-_};
    die "it has another key than it should: somebody may be in between\\n" if $key ne $pin;
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
    return $error == 6 ? '' : $error == 2 || $error == 3 ? undef : die "the connection was cut\\n";
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
    return $error == 2 || $error == 3 ? 0 : die "the connection was cut\\n";
}

# Says that no more will come; the other direction goes on. False when it has to be said again.
sub end_sending {
    my ($leg) = @_;
    return 0 if $leg->{tls} && Net::SSLeay::shutdown($leg->{tls}) < 0;
    shutdown $leg->{sock}, 1;
    return 1;
}

sub again { $_[0] == EAGAIN || $_[0] == EINTR ? undef : die "$_[0]\\n" }

# Makes the coming close a reset (SO_LINGER with time 0), as the other side had one.
sub reset_all { setsockopt($_->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0) for @_ }

# Reads one answer, byte by byte: what follows its empty line belongs to the client.
sub read_head {
    my ($leg) = @_;
    my $head = '';
    while ($head !~ /\\r\\n\\r\\n\\z/) {
        my $byte = receive($leg, 1);
        next if !defined $byte;
        die "the connection has ended\\n" if $byte eq '' || length $head > 8192;
        $head .= $byte;
    }
    my ($first, @lines) = split /\\r\\n/, $head;
    my ($status) = ($first || '') =~ m{\\AHTTP/1\\.1 ([1-5][0-9][0-9])(?: |\\z)};
    return ($status || 0, \\@lines);
}

# The value of a header, when it has the shape that it should have.
sub field {
    my ($lines, $name, $shape) = @_;
    my ($line) = grep { /\\A$name:/i } @$lines;
    return ($line || '') =~ /\\A[^:]*:[ \\t]*($shape)[ \\t]*\\z/ ? $1 : undef;
}

# A half, in a process of its own.
sub half {
    my ($delay) = @_;
    select undef, undef, undef, $delay;
    local $SIG{ALRM} = sub { die "no answer in time\\n" };
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
            die $status ? "it answered $status\\n" : "not an answer of a relay\\n";
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
            say_line("ready: $address leads to $service, by perl; Ctrl-C ends it") if !$ready;
            say_line('the relay is back') if $away;
            ($ready, $away, $wanted, $delay, $window) = (1, 0, $pool, 0, 0.5);
        }
        elsif ($event eq 'paired') {
            my ($demand, $client) = $rest =~ /\\A([0-9]{1,4}) (\\S+)\\z/ or next;
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
`,
  },
  "agent.sh": {
    type: "text/x-shellscript",
    sha256: "4e66f88a9b04803d20f250018e3da61abc4b8e9ccd408f2f2b5866aff1415000",
    text: `# rdv agent for socat, ncat, nc and bash: waits at a relay for clients and joins each to one service of this machine.
# The join script evaluates it. One process a half; each tells the main loop what happens through a named pipe.

LC_ALL=C # Patterns compare bytes.

serve() {
  dir=\${TMPDIR:-/tmp}/rdv-$machine
  (umask 077 && mkdir "$dir" && mkfifo "$dir/events") || die "cannot write to \${TMPDIR:-/tmp}"
  trap 'stopped 130' INT # Words alone: a young bash child may be hit while it parses the string of a trap.
  trap 'stopped 143' TERM HUP
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
        rm -f "$dir/relay.pem" # It may come back with another certificate.
        halves=$((halves - 1)) wanted=1 failures=$((failures + 1)) state=away
        delay=$((1 + $(od -An -N1 -tu1 /dev/urandom) % (failures < 15 ? 3 : 30))) ;;
      end) stop 0 "$text" ;;
      wrong) stop 1 "the relay $RDV_RELAY shows another key than the invitation names: somebody may be on the way" ;;
    esac
  done
}

start() { # FUNCTION ARGUMENT
  last=$((last + 1))
  "$1" "$dir/$last" "$2" &
  echo $! >"$dir/$last.pid"
}

stopped() { stop "$1" "stopped; nothing can be reached any more"; }

quit() { kill $dialled $copies $! 2>/dev/null; exit; }

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
  dialled= copies=
  trap quit TERM
  [ -e "$dir/events" ] || exit
  sleep "$2" &
  wait $! && echo "end the time of the invitation is over" >&5 2>/dev/null
}

half() { # NAME DELAY: dials the relay, waits for one client, joins it to the service
  dialled= copies=
  trap quit TERM
  trap '' PIPE
  [ -e "$dir/events" ] || exit
  [ "$2" = 0 ] || { sleep "$2" & wait $!; }
  if [ -n "$RDV_TLS" ] && [ ! -s "$dir/relay.pem" ]; then
    pin_relay "$1.pem" || { rm -f "$1".* && printf '%s\\n' "$news" >&5 2>/dev/null; exit; }
  fi
  mkfifo "$1.up" "$1.down" "$1.to" "$1.from"
  exec 6<>"$1.up" 7<>"$1.down" # While somebody has both ends, nobody waits for a partner when opening one.
  dial_relay <"$1.up" >"$1.down" 5>&- 6>&- 7>&- &
  dialled=$!
  exec 4>"$1.up" 3<"$1.down" 6>&- 7>&-
  [ "$method$half_close$RDV_TLS" != nc ] || { (exec 3<&- 4>&- && watch "$dialled") & }
  printf '%s\\r\\n' 'GET /v1/agent HTTP/1.1' "Host: $RDV_RELAY:$RDV_PORT" 'Connection: Upgrade' 'Upgrade: rdv/1' \\
    'Expect: 100-continue' "Authorization: Bearer $RDV_TICKET" '' >&4 2>/dev/null
  news="lost no answer"
  while begins "$1.head"; do # It may wait for hours for an answer, but no answer takes long.
    : >"$1.late"
    (trap - TERM && hurry "$1.late") 3<&- 4>&- 5>&- >/dev/null 2>&1 &
    read -r code _ <&3
    client= demand=0 fields=0 code=\${code%"$cr"}
    while [ "$fields" -lt 100 ] && IFS= read -r line <&3 && [ "$line" != "$cr" ]; do
      line=\${line%"$cr"} fields=$((fields + 1))
      case $line in
        [Rr]dv-[Cc]lient:*) client=\${line#*: } ;;
        [Rr]dv-[Dd]emand:*) demand=\${line#*: } ;;
      esac
    done
    is_address "$client" || client='?'
    case $demand in [0-9] | [1-9][0-9]) ;; [1-9][0-9][0-9]) demand=32 ;; *) demand=0 ;; esac
    case $code in [1-5][0-9][0-9]) ;; *) code="no HTTP" ;; esac
    case $code$news in
      100*has\\ ended) news="lost it answered 100 twice" ;;
      101* | 100*) rm -f "$1.late" ;;
    esac
    case $code in
      100) [ "$news" = "lost no answer" ] || break
        echo accepted >&5 2>/dev/null && news="lost the connection has ended" && continue ;;
      101) join "$1" && news="closed $client, $(bytes "$1.in") bytes in, $(bytes "$1.out") bytes out" ;;
      401) news="end the ticket has expired" ;;
      410) news="end the inviter has ended the session" ;;
      *)
        news="lost it answered $code"
        read -r body <&3
        case $code$body in 409*'"replaced"'*) news="end another machine has taken over" ;; esac ;;
    esac
    break
  done
  kill $dialled 2>/dev/null
  rm -f "$1".*
  printf '%s\\n' "$news" >&5 2>/dev/null
}

begins() { # FILE: reads what every answer begins with, in a way that a signal can end
  dd bs=1 count=9 <&3 >"$1" 2>/dev/null 4>&- &
  wait $!
  IFS= read -r version <"$1"
  [ "$version" = "HTTP/1.1 " ]
}

hurry() { # FILE: ends the connection unless the file is gone in time; a shell reads byte by byte, so little comes meanwhile
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1 && [ -e "$1" ] || exit; done
  kill $dialled 2>/dev/null
}

is_address() { # ADDRESS:PORT or [ADDRESS]:PORT
  case \${1##*:} in '' | *[!0-9]* | ??????*) return 1 ;; esac
  case \${1%:*} in
    *[!]0-9A-Fa-f.:[]* | ????????????????????????????????????????????????*) return 1 ;;
    \\[*[][]*\\]) return 1 ;;
    \\[??*\\]) ;;
    *[!0-9.]* | ????????????????*) return 1 ;;
    *.*.*.*) ;;
    *) return 1 ;;
  esac
}

join() { # NAME: only now is the service dialled
  kill -0 $$ 2>/dev/null || return 1 # The script itself was killed, so nobody agrees any more.
  printf '%s\\n' "paired $demand $client" >&5 2>/dev/null
  relayed=$dialled
  exec 6<>"$1.to" 7<>"$1.from"
  dial "$RDV_HOST" "$port" <"$1.to" >"$1.from" 3<&- 4>&- 5>&- 6>&- 7>&- &
  serviced=$! dialled="$dialled $!"
  [ "$method$half_close" != nc ] || { (exec 3<&- 4>&- 6>&- 7>&- && watch "$serviced") & }
  (exec <&3 >"$1.to" 3<&- 4>&- 5>&- 6>&- 7>&- && copy "$1.in" && linger $dialled) &
  copies=$!
  # openssl ends its stream in order when its input ends, and only then.
  (exec <"$1.from" >&4 3<&- 4>&- 5>&- 6>&- 7>&- && copy "$1.out" && { [ -n "$RDV_TLS" ] || linger $dialled; }) &
  copies="$copies $!"
  exec 3<&- 4>&- 6>&- 7>&- # Whoever keeps a pipe open hides its end from the reader.
  { wait "$serviced" || { sleep 1 && kill "$relayed"; }; wait; } 2>/dev/null
}

copy() { # COUNT: input to output
  LC_ALL=C dd bs=65536 2>"$1" || :
}

bytes() { # COUNT
  count=unknown
  while read -r number word _; do [ "$word" != bytes ] || count=$number; done <"$1"
  echo "$count" 2>/dev/null # Nobody may be left to read it.
}

linger() { [ -n "$half_close" ] || { sleep 2 && kill "$@" 2>/dev/null; }; } # For tools that cannot say "my side has ended" and go on.

watch() { # PID: OpenBSD's nc does not tell when its peer has ended, but Linux does (state 08, nothing unread)
  while sleep 1 && socket=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*socket:\\[\\([0-9]*\\)\\]/\\1/p') && [ -n "$socket" ]; do
    ! grep -q " 08 [0-9A-F]*:00000000 .* $socket " /proc/net/tcp /proc/net/tcp6 2>/dev/null || { linger "$1"; return; }
  done
}

pin_relay() { # FILE: keeps the relay's certificate, the only one that is trusted then, if its key is the one of the claim
  news="lost it speaks no TLS"
  within 10 shown_certificate "$1.all"
  openssl x509 -in "$1.all" -out "$1" 2>/dev/null || return
  key=$(openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | openssl base64 | tr '+/' '-_' | tr -d '=')
  news=wrong
  [ "$key" = "$RDV_TLS" ] && cat "$1" >"$dir/relay.pem"
}

shown_certificate() { exec openssl s_client -connect "$(joined "$RDV_RELAY"):$RDV_PORT" -tls1_3 -noservername >"$1" 2>/dev/null; }

joined() { case $1 in *:*) printf '[%s]' "$1" ;; *) printf '%s' "$1" ;; esac; }

dial_relay() { # As dial, in TLS where it was agreed to: names and dates of the relay's certificate do not matter, its key does
  relay=$(joined "$RDV_RELAY"):$RDV_PORT
  case $RDV_TLS/$tls_by in
    /*) dial "$RDV_RELAY" "$RDV_PORT" ;;
    */socat) # In the folder, because a comma in its name would begin an option.
      cd "$dir" && exec socat -t 600 'STDIN!!STDOUT,shut-close' \\
        "OPENSSL:$relay,cafile=relay.pem,verify=1,commonname=,no-sni=1,min-version=TLS1.3,nodelay,keepalive,keepidle=30" ;;
    *) exec openssl s_client -quiet -no_ign_eof -nocommands -connect "$relay" -tls1_3 -noservername \\
      -CAfile "$dir/relay.pem" -partial_chain -no_check_time -verify_return_error ;;
  esac 2>/dev/null
}

dial() { # HOST PORT: becomes the program whose input and output are the connection
  case $method in
    socat) exec socat -t 600 'STDIN!!STDOUT,shut-close' "TCP:$(joined "$1"):$2,nodelay,keepalive,keepidle=30" ;;
    ncat) exec ncat -- "$1" "$2" ;;
    nc) exec nc -- "$1" "$2" ;;
    bash) exec bash -c 'trap "kill \\$a \\$b \\$!" EXIT; trap exit TERM; exec 3<>"/dev/tcp/$0/$1" || exit
      cat <&3 3>&- & a=$!; cat <&0 >&3 3>&- & b=$!; exec >&- 3>&-; wait $a $b' "$1" "$2" ;;
  esac 2>/dev/null
}

serve
`,
  },
} as const;
