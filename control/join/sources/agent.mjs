// rdv agent: waits at a relay for clients and joins each to one service of this machine. Node 16 or newer.
// Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";

const hostShape = /^[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}$/;
const portShape = /^[1-9][0-9]{0,4}$/;
const clientShape = /^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$/;
const relay = { host: setting("RDV_RELAY", hostShape), port: Number(setting("RDV_PORT", portShape)) };
const target = { host: setting("RDV_HOST", hostShape), port: Number(setting("RDV_HOST_PORT", portShape)) };
const ticket = setting("RDV_TICKET", /^[A-Za-z0-9._-]{1,8000}$/);
const pin = setting("RDV_TLS", /^([A-Za-z0-9_-]{43})?$/); // Empty: the relay speaks no TLS.
const pool = Math.max(1, Math.min(32, Number(setting("RDV_POOL", /^[0-9]{1,4}$/))));
const seconds = Number(setting("RDV_SECONDS", /^[0-9]{1,7}$/));
const address = setting("RDV_ADDRESS", /^[A-Za-z0-9._:[\]-]{1,300}$/);
const service = `${target.host}:${target.port}`;
const secureContext = createSecureContext({ minVersion: "TLSv1.3", ca: [] });
let waiting = 0;
let ready = false;
let away = false;
let window = 500;

function setting(name, shape) {
  const value = process.env[name] ?? "";
  if (!shape.test(value)) finish(`${name} is not understood`, 1);
  return value;
}

/** All that is shown passes here: what others wrote must not steer a terminal or look like a line of ours. */
function say(text) {
  process.stderr.write(`rdv: ${text.replace(/[^ -~]/g, "?").slice(0, 300)}\n`);
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
        `GET /v1/agent HTTP/1.1\r\nHost: ${relay.host}:${relay.port}\r\nConnection: Upgrade\r\nUpgrade: rdv/1\r\n` +
          `Expect: 100-continue\r\nAuthorization: Bearer ${ticket}\r\n\r\n`,
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
    const end = received.subarray(0, 8192).indexOf("\r\n\r\n");
    if (end < 0) {
      if (ended || received.length > 8192) lose("the connection has ended");
      return;
    }
    const [first, ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
    const [, status] = /^HTTP\/1\.1 ([1-5][0-9][0-9])( |$)/.exec(first) ?? [];
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
    else if (ended || status !== "409" || rest.length > 8192) lose(`it answered ${status ?? "no HTTP"}`);
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
  const line = lines.find((each) => each.toLowerCase().startsWith(`${name}:`));
  const value = line?.slice(name.length + 1).trim() ?? "";
  return shape.test(value) ? value : undefined;
}

function accepted() {
  if (!ready) say(`ready: ${address} leads to ${service}, by node; Ctrl-C ends it`);
  else if (away) say("the relay is back");
  ready = true;
  away = false;
  window = 500;
  fill(pool);
}

/** One half at a time asks a relay that is away, after a random part of a window that doubles. */
function lost(reason) {
  waiting -= 1;
  if (!away) say(`the relay ${relay.host} is away (${reason}); trying again`);
  away = true;
  if (waiting > 0) return;
  waiting = 1;
  setTimeout(half, 50 + Math.random() * window);
  window = window < 4_000 ? window * 2 : Math.min(window + 1_000, 30_000);
}

function paired(socket, client, demand, early) {
  waiting -= 1;
  fill(Math.max(pool, demand));
  say(`opened: ${client}`);
  // Only now: an idle connection to a service costs it a slot.
  const local = connect({ ...target, allowHalfOpen: true }, () => {
    if (early.length > 0) local.write(early);
    socket.pipe(local);
    local.pipe(socket);
  });
  keepAlive(local);
  let refused = "";
  const counts = () => `${local.bytesWritten} bytes in, ${local.bytesRead} bytes out`;
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) say(`closed: ${client}, ${refused || counts()}`);
  };
  const breakBoth = () => {
    for (const each of [socket, local])
      if (each.encrypted)
        each.destroy(); // Without close_notify, which is a reset.
      else if (!each.destroyed) (each.resetAndDestroy ?? each.destroy).call(each);
  };
  socket.on("error", breakBoth).on("close", closed);
  local.on("close", closed).on("error", (error) => {
    if (error.syscall === "connect") refused = `the service ${service} does not answer (${error.code})`;
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
