# rdv agent: waits at a relay for clients and joins each to one service of this machine. Python 3.5 or newer; TLS needs 3.7.
# Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import base64, hashlib, os, random, re, signal, socket, ssl, struct, sys, threading, time

over = threading.Event()
lock = threading.RLock()
state = {"waiting": 0, "away": False, "ready": False, "failures": 0}


def say(text):
    """All that is shown passes here: what others wrote must not steer a terminal or look like a line of ours."""
    with lock:
        sys.stderr.write("rdv: " + re.sub("[^ -~]", "?", text)[:300] + "\n")
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
client_shape = r"([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}"
relay = (setting("RDV_RELAY", host_shape), int(setting("RDV_PORT", port_shape)))
target = (setting("RDV_HOST", host_shape), int(setting("RDV_HOST_PORT", port_shape)))
ticket = setting("RDV_TICKET", "[A-Za-z0-9._-]{1,8000}")
pin = setting("RDV_TLS", "([A-Za-z0-9_-]{43})?")  # Empty: the relay speaks no TLS.
pool = max(1, min(32, int(setting("RDV_POOL", "[0-9]{1,4}"))))
deadline = time.monotonic() + int(setting("RDV_SECONDS", "[0-9]{1,7}"))
address = setting("RDV_ADDRESS", r"[A-Za-z0-9._:\[\]-]{1,300}")


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
        """All that has come: what stayed would be lost at `unwrap`."""
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
    """Where the element at `at` starts, and where its content starts and ends; it must have this tag and lie before `end`."""
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
    while not head.endswith(b"\r\n\r\n"):
        byte = leg.recv(1)
        if not byte or len(head) > 8192:
            raise OSError("the connection has ended")
        head += byte
    first, *lines = head.decode("latin-1").split("\r\n")
    status = re.fullmatch("HTTP/1[.]1 ([1-5][0-9][0-9])( .*)?", first)
    return status.group(1) if status else "no HTTP", lines


def field(lines, name, shape):
    """The value of a header, when it has the shape that it should have."""
    for line in lines:
        if line.lower().startswith(name + ":"):
            value = line[len(name) + 1 :].strip(" \t")
            return value if re.fullmatch(shape, value) else None


def wait_for_client(leg):
    """Gives the client's address and how many more wait; throws when the relay refused for a reason that may pass."""
    request = "GET /v1/agent HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: rdv/1\r\nExpect: 100-continue\r\nAuthorization: Bearer %s\r\n\r\n"
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
