# rdv agent for socat, ncat, nc and bash: waits at a relay for clients and joins each to one service of this machine.
# The join script evaluates it. One process a half; each tells the main loop what happens through a named pipe.

LC_ALL=C # Patterns compare bytes.

serve() {
  dir=${TMPDIR:-/tmp}/rdv-$machine
  (umask 077 && mkdir "$dir" && mkfifo "$dir/events") || die "cannot write to ${TMPDIR:-/tmp}"
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
        halves=$((halves - 1)) demand=${text%% *}
        wanted=$((demand > 32 ? 32 : demand > RDV_POOL ? demand : RDV_POOL))
        say "opened: ${text#* }" ;;
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
    pin_relay "$1.pem" || { rm -f "$1".* && printf '%s\n' "$news" >&5 2>/dev/null; exit; }
  fi
  mkfifo "$1.up" "$1.down" "$1.to" "$1.from"
  exec 6<>"$1.up" 7<>"$1.down" # While somebody has both ends, nobody waits for a partner when opening one.
  dial_relay <"$1.up" >"$1.down" 5>&- 6>&- 7>&- &
  dialled=$!
  exec 4>"$1.up" 3<"$1.down" 6>&- 7>&-
  [ "$method$half_close$RDV_TLS" != nc ] || { (exec 3<&- 4>&- && watch "$dialled") & }
  printf '%s\r\n' 'GET /v1/agent HTTP/1.1' "Host: $RDV_RELAY:$RDV_PORT" 'Connection: Upgrade' 'Upgrade: rdv/1' \
    'Expect: 100-continue' "Authorization: Bearer $RDV_TICKET" '' >&4 2>/dev/null
  news="lost no answer"
  while begins "$1.head"; do # It may wait for hours for an answer, but no answer takes long.
    : >"$1.late"
    (trap - TERM && hurry "$1.late") 3<&- 4>&- 5>&- >/dev/null 2>&1 &
    read -r code _ <&3
    client= demand=0 fields=0 code=${code%"$cr"}
    while [ "$fields" -lt 100 ] && IFS= read -r line <&3 && [ "$line" != "$cr" ]; do
      line=${line%"$cr"} fields=$((fields + 1))
      case $line in
        [Rr]dv-[Cc]lient:*) client=${line#*: } ;;
        [Rr]dv-[Dd]emand:*) demand=${line#*: } ;;
      esac
    done
    is_address "$client" || client='?'
    case $demand in [0-9] | [1-9][0-9]) ;; [1-9][0-9][0-9]) demand=32 ;; *) demand=0 ;; esac
    case $code in [1-5][0-9][0-9]) ;; *) code="no HTTP" ;; esac
    case $code$news in
      100*has\ ended) news="lost it answered 100 twice" ;;
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
  printf '%s\n' "$news" >&5 2>/dev/null
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
  case ${1##*:} in '' | *[!0-9]* | ??????*) return 1 ;; esac
  case ${1%:*} in
    *[!]0-9A-Fa-f.:[]* | ????????????????????????????????????????????????*) return 1 ;;
    \[*[][]*\]) return 1 ;;
    \[??*\]) ;;
    *[!0-9.]* | ????????????????*) return 1 ;;
    *.*.*.*) ;;
    *) return 1 ;;
  esac
}

join() { # NAME: only now is the service dialled
  kill -0 $$ 2>/dev/null || return 1 # The script itself was killed, so nobody agrees any more.
  printf '%s\n' "paired $demand $client" >&5 2>/dev/null
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
  while sleep 1 && socket=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*socket:\[\([0-9]*\)\]/\1/p') && [ -n "$socket" ]; do
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
      cd "$dir" && exec socat -t 600 'STDIN!!STDOUT,shut-close' \
        "OPENSSL:$relay,cafile=relay.pem,verify=1,commonname=,no-sni=1,min-version=TLS1.3,nodelay,keepalive,keepidle=30" ;;
    *) exec openssl s_client -quiet -no_ign_eof -nocommands -connect "$relay" -tls1_3 -noservername \
      -CAfile "$dir/relay.pem" -partial_chain -no_check_time -verify_return_error ;;
  esac 2>/dev/null
}

dial() { # HOST PORT: becomes the program whose input and output are the connection
  case $method in
    socat) exec socat -t 600 'STDIN!!STDOUT,shut-close' "TCP:$(joined "$1"):$2,nodelay,keepalive,keepidle=30" ;;
    ncat) exec ncat -- "$1" "$2" ;;
    nc) exec nc -- "$1" "$2" ;;
    bash) exec bash -c 'trap "kill \$a \$b \$!" EXIT; trap exit TERM; exec 3<>"/dev/tcp/$0/$1" || exit
      cat <&3 3>&- & a=$!; cat <&0 >&3 3>&- & b=$!; exec >&- 3>&-; wait $a $b' "$1" "$2" ;;
  esac 2>/dev/null
}

serve
