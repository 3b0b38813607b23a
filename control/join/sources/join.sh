# What follows is the same for everybody. It dials out only, needs no root, and opens no port on this machine.
#   … | sh -s -- --yes           agree without being asked
#   … | RDV_METHOD=socat sh      use this program: rdv npx node python3 perl socat ncat nc bash
methods="rdv npx node python3 perl socat ncat nc bash"
[ -z "$ZSH_VERSION" ] || emulate sh
cr=$(printf '\r')

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
  [ "${#1}" -le 253 ]
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
  for method in ${RDV_METHOD:-$methods}; do
    case " $methods " in *" $method "*) works "$method" && break ;; esac
    method=
  done
  [ -n "$method" ] || die "cannot use ${RDV_METHOD:-any of: $methods}; install one of: $methods"
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
    *) case ${host##*.} in
      0[xX]*) at=$host ;; # Resolvers take such names for addresses.
      *[!0-9]*) at=$(look_up | sed -n '1s/^\([0-9A-Fa-f.:]*\).*/\1/p') ;;
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
    169.254.* | fe[89ab]?:* | 100.100.100.200 | 168.63.129.16 | 192.0.0.192 | fd00:ec2::* | fd20:ce::254 | fd00:c1::* | fd00:42::42 | \
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
  printf '  This address is no ordinary service: it may give out the secrets of this machine.\n' >&2
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
  sum=$(printf '%s\n' "$agent" | digest)
  [ -n "$sum" ] || say "no sha256sum, shasum or openssl here: $1 is used unchecked" && sum=${sum:-$2}
  [ "$sum" = "$2" ] || die "$1 is not what this script was made for; ask for a new invitation"
}

name_machine() { # So that this machine, and no other, may come again with the same code. Nobody learns its number from this.
  machine=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  own=$(cat /etc/machine-id 2>/dev/null || sysctl -n kern.uuid kern.hostuuid 2>/dev/null) || return 0
  own=$(printf '%s %s %s %s\n' "$own" "$(uname -n)" "$(id -u)" "$url" | digest)
  [ -z "$own" ] || machine=$own
}

digest() { { sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null | cut -c1-64; }

host_key() { # What the ssh server here shows to everybody who connects; the inviter can compare it.
  [ -n "$ssh" ] && have ssh-keyscan || return 0
  ssh-keyscan -T 3 -t ed25519 -p "$port" "$at" 2>/dev/null |
    sed -n 's/^[^# ]* ssh-ed25519 \([A-Za-z0-9+/]\{40,100\}=*\)$/\1/p' | sed 's/+/%2B/g; s/^/ssh-ed25519+/; q'
}

claim() { # Exchanges the code for a ticket, which can only wait for connections of this one session.
  form="host=$(uname -n | tr -cd 'A-Za-z0-9._-')&user=$(id -un | tr -cd 'A-Za-z0-9._-')&method=$method&machine=$machine&hostkey=$(host_key)"
  if have curl; then
    answer=$(curl --proto "$proto" -sS --max-time 30 -H 'Accept: text/plain' -d "$form" -w '\n%{http_code}' "$url/claim" 2>/dev/null | head -c 20000)
    words=$(printf '%s' "${answer%????}")
    case $answer in *200) ;; *) die "the invitation was refused: ${words:-no answer from $url}" ;; esac
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
    is_word "$RDV_TICKET" && [ "${#RDV_TICKET}" -le 8192 ] && case $RDV_TLS in '') ;; *) is_word "$RDV_TLS" && [ "${#RDV_TLS}" = 43 ] ;; esac ||
    die "the answer to the claim is not understood"
  [ -n "$RDV_TLS$plain" ] || die "the relay has no TLS, against what was agreed to; ask for a new invitation"
  [ -z "$plain" ] || RDV_TLS=
  RDV_HOST=$at RDV_HOST_PORT=$port RDV_ADDRESS=$address
  export RDV_TICKET RDV_RELAY RDV_PORT RDV_TLS RDV_POOL RDV_SECONDS RDV_HOST RDV_HOST_PORT RDV_ADDRESS
}

main "$@"
