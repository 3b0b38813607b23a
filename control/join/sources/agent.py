# rdv agent: waits at a relay for clients and joins each to one service of this machine. Python 3.5 or newer.
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
        sys.stderr.write("rdv: " + text + "\n")
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
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte or len(head) > 8192:
            raise OSError("the connection has ended")
        head += byte
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return lines[0].split(" ", 2), {name.lower(): value for name, value in fields.items()}


def wait_for_client(sock):
    """Gives the client's address and how many more wait; None when the relay refused for a reason that may pass."""
    request = "GET /v1/agent HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: rdv/1\r\nExpect: 100-continue\r\nAuthorization: Bearer %s\r\n\r\n"
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
