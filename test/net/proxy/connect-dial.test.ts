import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createPump } from "../../../net/create-pump.ts";
import { dialTcp } from "../../../net/dial.ts";
import { listenTcp } from "../../../net/listen.ts";
import { silentLog } from "../../../net/log.ts";
import { dialThroughProxy } from "../../../net/proxy/connect-dial.ts";
import { startStandInProxy, tunnel } from "./stand-in-proxy.ts";

const signal = new AbortController().signal;
const far = { host: "far.example", port: 8788, signal };

test("a tunnel is opened with the credentials, and early bytes of the far end are not lost", async () => {
  await using echo = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: (s) => void s.pipe(s) });
  await using stand = await startStandInProxy((s, target) => tunnel(s, target, "early "), "Basic abc");
  const socket = await dialThroughProxy(stand.proxy, { host: echo.host, port: echo.port, signal });
  assert.equal(
    stand.heads[0],
    `CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\nProxy-Authorization: Basic abc\r\n\r\n`,
  );
  socket.end("late");
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  assert.equal(text, "early late");
});

test("a socket that waits for its reader keeps what comes meanwhile", async () => {
  await using stand = await startStandInProxy((s) => {
    s.write("HTTP/1.1 200 OK\r\n\r\n");
    setImmediate(() => s.end("later"));
  });
  const socket = await dialThroughProxy(stand.proxy, far);
  await once(socket, "readable");
  socket.pause();
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += String(chunk)));
  socket.resume();
  await once(socket, "end");
  assert.equal(text, "later");
  socket.destroy();
});

test("the kernel pump takes a tunnel, early bytes included", async (context) => {
  await using pump = await createPump({ choice: "auto", log: silentLog });
  if (pump.kind !== "kernel") return context.skip("the kernel pump cannot run here");
  await using echo = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: (s) => void s.pipe(s) });
  await using stand = await startStandInProxy((s, target) => tunnel(s, target, "early "));
  const one = await dialThroughProxy(stand.proxy, { host: echo.host, port: echo.port, signal });
  const { promise, resolve } = Promise.withResolvers<void>();
  await using door = await listenTcp({
    host: "127.0.0.1",
    port: 0,
    onConnection(other) {
      const leg = (socket: typeof one) => ({ socket, early: Buffer.alloc(0), ended: false });
      void pump.join(leg(other), leg(one)).done.then(() => resolve());
      assert.deepEqual(pump.stats(), { ...pump.stats(), kernelPairs: 1, portablePairs: 0 });
    },
  });
  const client = await dialTcp({ host: door.host, port: door.port, signal });
  client.end("late");
  let text = "";
  for await (const chunk of client) text += String(chunk);
  assert.equal(text, "early late");
  await promise;
});

test("each refusal of a proxy says what to do", async () => {
  const answers: readonly (readonly [string, RegExp])[] = [
    [
      "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
      /user name and a password \(407\); write HTTPS_PROXY=http:/,
    ],
    ["HTTP/1.1 403 Filtered\r\n\r\n", /forbid it \(403\); ask for far\.example:8788 to be allowed/],
    ["HTTP/1.1 502 Bad Gateway\r\n\r\n", /cannot reach it itself \(502\)/],
    ["HTTP/1.1 418 Teapot\r\n\r\n", /answered 418/],
    ["SSH-2.0-OpenSSH\r\n\r\n", /does not speak HTTP; check HTTPS_PROXY/],
    ["", /closed the connection instead of opening one to far\.example:8788/],
    ["HTTP/1.1 200 OK\r\nX: ".padEnd(9_000, "x"), /endless head/],
  ];
  for (const [answer, message] of answers) {
    await using stand = await startStandInProxy((s) => s.end(answer), "Basic c2VjcmV0");
    await assert.rejects(dialThroughProxy(stand.proxy, far), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(!error.message.includes("c2VjcmV0"));
      return true;
    });
  }
});

test("a proxy that is not there, says nothing, or is not waited for", async () => {
  const gone = await startStandInProxy(() => {});
  await gone[Symbol.asyncDispose]();
  await assert.rejects(dialThroughProxy(gone.proxy, far), {
    code: "unreachable",
    message: /^The proxy 127\.0\.0\.1:\d+ of HTTPS_PROXY: Cannot reach .* \(connection refused\)$/,
  });
  await using silent = await startStandInProxy(() => {});
  await assert.rejects(dialThroughProxy(silent.proxy, { ...far, timeoutMs: 100 }), {
    code: "timeout",
    message: /opened no connection to far\.example:8788 within \d+ ms/,
  });
  const stop = new AbortController();
  const attempt = dialThroughProxy(silent.proxy, { ...far, signal: stop.signal });
  setImmediate(() => stop.abort(new Error("no longer wanted")));
  await assert.rejects(attempt, { message: "no longer wanted" });
});
