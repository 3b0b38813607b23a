// rdv agent: waits at a relay for clients and joins each to one service of this machine. Node 14 or newer.
// Settings come in the environment; the ticket allows nothing but to wait for clients of this one session.
import { connect } from "node:net";

const env = process.env;
const relay = { host: env.RDV_RELAY, port: Number(env.RDV_PORT) };
const target = { host: env.RDV_HOST, port: Number(env.RDV_HOST_PORT) };
const pool = Math.max(1, Math.min(32, Number(env.RDV_POOL)));
const service = `${target.host}:${target.port}`;
let waiting = 0;
let ready = false;
let away = false;
let window = 500;

const say = (text) => process.stderr.write(`rdv: ${text}\n`);

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
      `GET /v1/agent HTTP/1.1\r\nHost: ${relay.host}:${relay.port}\r\nConnection: Upgrade\r\nUpgrade: rdv/1\r\n` +
        `Expect: 100-continue\r\nAuthorization: Bearer ${env.RDV_TICKET}\r\n\r\n`,
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
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) {
      if (ended || received.length > 8192) lose("the connection has ended");
      return;
    }
    const [first, ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
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
  if (!ready) say(`ready: ${env.RDV_ADDRESS} leads to ${service}, by node; Ctrl-C ends it`);
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
  const local = dial(target, () => {
    if (early.length > 0) local.write(early);
    socket.pipe(local);
    local.pipe(socket);
  });
  let refused = "";
  const counts = () => `${local.bytesWritten} bytes in, ${local.bytesRead} bytes out`;
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) say(`closed: ${client}, ${refused || counts()}`);
  };
  const breakBoth = () => {
    for (const each of [socket, local])
      if (!each.destroyed) (each.resetAndDestroy ?? each.destroy).call(each);
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
setTimeout(() => finish("the time of the invitation is over", 0), Number(env.RDV_SECONDS) * 1_000);
fill(1);
