# What follows is the same for everybody. It dials out only, needs no root, and opens no port on this machine.
#   … | sh -s -- --yes           agree without being asked
#   … | RDV_METHOD=socat sh      use this program: rdv npx node python3 perl socat ncat nc bash
methods="rdv node python3 perl socat ncat nc bash"
[ -z "$ZSH_VERSION" ] || emulate sh
cr=$(printf '\r')

main() {
  yes=
  for word in "$@"; do
    case $word in --yes | -y) yes=--yes ;; *) die "unknown option $word; the only one is --yes" ;; esac
  done
  have curl || have wget || die "needs curl or wget"
  choose_method
  case $method in rdv | npx) hand_over ;; esac # It asks by itself.
  ask_consent
  machine=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  case $method in
    node) get_agent agent.mjs "$sha_mjs" && claim && exec node --input-type=module -e "$agent" ;;
    python3) get_agent agent.py "$sha_py" && claim && exec python3 -c "$agent" ;;
    perl) get_agent agent.pl "$sha_pl" && claim && exec perl -e "$agent" ;;
    *) claim && serve ;;
  esac
}

say() { printf 'rdv: %s\n' "$*" >&2; }
die() { say "$*" && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

works() { # A program that is there may still be a stub, or too old.
  have "$1" || return 1
  case $1 in
    node) node --input-type=module -e 'import "node:net"' ;;
    python3) python3 -c 'import socket, threading' ;;
    perl) perl -MSocket=getaddrinfo -e 1 ;;
    nc | socat | ncat) have mkfifo && have dd ;;
    bash) have mkfifo && have dd && bash -c '(: </dev/tcp/127.0.0.1/1) 2>&1 | grep -qi refused' ;;
  esac >/dev/null 2>&1
}

choose_method() {
  for method in ${RDV_METHOD:-$methods}; do
    case " $methods npx " in *" $method "*) works "$method" && break ;; esac
    method=
  done
  [ -n "$method" ] || die "cannot use ${RDV_METHOD:-any of: $methods}; install one of: $methods"
  half_close=yes note=
  case $method in
    bash) half_close= ;;
    nc) case $(nc -h 2>&1) in
      *"Shutdown the network"*) nc_flags=-N ;;
      *BusyBox* | *Ncat*) nc_flags= ;;
      *) half_close= nc_flags= ;;
    esac ;;
  esac
  [ -n "$half_close" ] || note=", for interactive use only: an answer after the end of the question is lost"
}

hand_over() {
  say "uses $method"
  has_terminal && exec </dev/tty
  case $method in rdv) exec rdv join $yes "$url" ;; npx) exec npx --no-install rdv join $yes "$url" ;; esac
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
  sum=$(printf '%s\n' "$agent" | { sha256sum || shasum -a 256 || openssl dgst -sha256 -r; } 2>/dev/null | cut -c1-64)
  [ -n "$sum" ] || say "no sha256sum, shasum or openssl here: $1 is used unchecked" && sum=${sum:-$2}
  [ "$sum" = "$2" ] || die "$1 is not what this script was made for; ask for a new invitation"
}

claim() { # Exchanges the code for a ticket, which can only wait for connections of this one session.
  form="host=$(uname -n | tr -cd 'A-Za-z0-9._-')&user=$(id -un | tr -cd 'A-Za-z0-9._-')&method=$method&machine=$machine"
  if have curl; then
    answer=$(curl -sS --max-time 30 -H 'Accept: text/plain' -d "$form" -w '\n%{http_code}' "$url/claim")
    case $answer in *200) ;; *) die "${answer%000}" | sed '$d' >&2; exit 1 ;; esac
  else
    answer=$(wget -qO- --header='Accept: text/plain' --post-data="$form" "$url/claim") ||
      die "the invitation was refused; it is over, used by another machine, or out of reach"
  fi
  RDV_TICKET= RDV_RELAY= RDV_PORT= RDV_POOL=2 RDV_SECONDS=$((expires - $(date +%s)))
  while IFS='=' read -r key value; do
    case $key in
      relay) RDV_RELAY=$value ;; port) RDV_PORT=$value ;; ticket) RDV_TICKET=$value ;;
      pool) RDV_POOL=$value ;; left) RDV_SECONDS=$value ;;
    esac
  done <<END
$answer
END
  case $RDV_RELAY in '' | *[!A-Za-z0-9._:-]*) die "the answer to the claim names no relay" ;; esac
  case $RDV_PORT$RDV_POOL$RDV_SECONDS in *[!0-9]*) die "the answer to the claim is not understood" ;; esac
  RDV_HOST=$host RDV_HOST_PORT=$port RDV_ADDRESS=$address
  export RDV_TICKET RDV_RELAY RDV_PORT RDV_POOL RDV_SECONDS RDV_HOST RDV_HOST_PORT RDV_ADDRESS
}

# From here on: how socat, ncat, nc and bash do it. One process a half; they tell the main loop through a named pipe.
serve() {
  dir=${TMPDIR:-/tmp}/rdv-$machine
  (umask 077 && mkdir "$dir" && mkfifo "$dir/events") || die "cannot write to ${TMPDIR:-/tmp}"
  trap 'stop 130' INT
  trap 'stop 143' TERM HUP
  exec 5<>"$dir/events"
  start timer "$RDV_SECONDS"
  state=new halves=0 wanted=1 last=0 window=1 delay=0
  while :; do
    while [ "$halves" -lt "$wanted" ]; do
      halves=$((halves + 1)) last=$((last + 1))
      start half "$delay"
    done
    read -r event text <&5
    case $event in
      accepted)
        [ "$state" = up ] || say "ready: $address leads to $host:$port, by $method; Ctrl-C ends it"
        state=up wanted=$RDV_POOL window=1 delay=0 ;;
      paired) halves=$((halves - 1)) && say "opened: $text" ;;
      closed) say "closed: $text" ;;
      lost)
        halves=$((halves - 1)) wanted=1
        delay=$((1 + $(od -An -N1 -tu1 /dev/urandom) % window)) window=$((window < 16 ? window * 2 : 30))
        [ "$state" = away ] || say "the relay $RDV_RELAY is away ($text); trying again"
        state=away ;;
      end) say "$text" && stop 0 ;;
    esac
  done
}

start() { # FUNCTION ARGUMENT
  "$1" "$dir/$last" "$2" &
  echo $! >"$dir/$last.pid"
}

stop() {
  trap '' INT TERM HUP
  kill $(cat "$dir"/*.pid) 2>/dev/null
  wait
  rm -rf "$dir"
  exit "$1"
}

timer() {
  trap 'kill $!; exit' TERM
  sleep "$2" &
  wait $! && echo "end the time of the invitation is over" >&5
}

half() { # NAME DELAY: dials the relay, waits for one client, joins it to the service
  dialled=
  trap 'kill $dialled $! 2>/dev/null; wait; exit' TERM
  trap '' PIPE
  sleep "$2" & wait $!
  mkfifo "$1.up" "$1.down" "$1.to" "$1.from"
  dial "$RDV_RELAY" "$RDV_PORT" <"$1.up" >"$1.down" &
  dialled=$!
  exec 4>"$1.up" 3<"$1.down"
  printf 'GET /v1/agent HTTP/1.1\r\nHost: %s:%s\r\nConnection: Upgrade\r\nUpgrade: rdv/1\r\nExpect: 100-continue\r\nAuthorization: Bearer %s\r\n\r\n' \
    "$RDV_RELAY" "$RDV_PORT" "$RDV_TICKET" >&4 2>/dev/null
  news="lost no answer"
  while read -r _ status reason <&3; do
    client=
    while IFS= read -r line <&3 && [ "$line" != "$cr" ]; do
      case $line in [Rr]dv-[Cc]lient:*) client=${line#*: } client=${client%"$cr"} ;; esac
    done
    case $status in
      100) echo accepted >&5 && news="lost the connection has ended" && continue ;;
      101) join "$1" && news="closed $client, $(bytes "$1.in") bytes in, $(bytes "$1.out") bytes out" ;;
      401) news="end the ticket has expired" ;;
      410) news="end the inviter has ended the session" ;;
      *)
        read -r body <&3
        case $body in *'"replaced"'*) news="end another machine has taken over" ;; *) news="lost $status ${reason%"$cr"}" ;; esac ;;
    esac
    break
  done
  kill "$dialled" 2>/dev/null
  rm -f "$1".*
  echo "$news" >&5
}

join() { # NAME: only now is the service dialled
  kill -0 $$ 2>/dev/null || return 1 # The script itself was killed, so nobody agrees any more.
  echo "paired $client" >&5
  relayed=$dialled
  dial "$host" "$port" <"$1.to" >"$1.from" 3<&- 4>&- &
  serviced=$! dialled="$dialled $!"
  copy "$1.in" <&3 >"$1.to" 3<&- 4>&- &
  copy "$1.out" <"$1.from" >&4 3<&- 4>&- &
  exec 3<&- 4>&-
  wait "$serviced" || { sleep 1 & wait $!; kill "$relayed"; } 2>/dev/null
  wait
}

copy() { # COUNT: input to output
  LC_ALL=C dd bs=65536 2>"$1"
  [ -n "$half_close" ] || { sleep 3; kill $dialled; } 2>/dev/null
}

bytes() { while read -r number word _; do [ "$word" != bytes ] || echo "$number"; done <"$1"; }

dial() { # HOST PORT: becomes the program whose input and output are the connection
  case $method in
    socat) case $1 in *:*) set -- "[$1]" "$2" ;; esac
      exec socat -t 600 STDIO "TCP:$1:$2,nodelay,keepalive,keepidle=30" ;;
    ncat) exec ncat "$1" "$2" ;;
    nc) exec nc $nc_flags "$1" "$2" ;;
    bash) exec bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit; cat <&3 3>&- & a=$!; cat <&0 >&3 3>&- & b=$!
      trap "kill $a $b" EXIT; trap exit TERM; exec >&- 3>&-; wait $a $b' "$1" "$2" ;;
  esac 2>/dev/null
}

main "$@"
