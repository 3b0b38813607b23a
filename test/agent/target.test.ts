import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBridgeAddress } from "../../agent/bridge/address.ts";
import { parseTarget } from "../../agent/target.ts";
import { isListening } from "../../agent/listening.ts";
import { createTargetDial } from "../../agent/target-dial.ts";
import { listenTcp } from "../../net/listen.ts";
import { RdvError } from "../../protocol/errors.ts";
import { claimPorts } from "../fixtures/ports.ts";

test("a target is a port, a known name, host:port or [v6]:port", () => {
  const cases: readonly (readonly [string, string, number, string, string | undefined])[] = [
    ["22", "localhost", 22, "localhost:22", "ssh"],
    ["ssh", "localhost", 22, "localhost:22", "ssh"],
    ["SSH", "localhost", 22, "localhost:22", "ssh"],
    ["vnc", "localhost", 5900, "localhost:5900", "vnc"],
    ["postgresql", "localhost", 5432, "localhost:5432", "postgres"],
    ["8080", "localhost", 8080, "localhost:8080", undefined],
    ["10.0.0.7:5432", "10.0.0.7", 5432, "10.0.0.7:5432", "postgres"],
    ["nas:smb", "nas", 445, "nas:445", "smb"],
    ["a_host.example.org:1", "a_host.example.org", 1, "a_host.example.org:1", undefined],
    ["[::1]:22", "::1", 22, "[::1]:22", "ssh"],
    ["[fe80::1%eth0]:80", "fe80::1%eth0", 80, "[fe80::1%eth0]:80", "http"],
  ];
  for (const [text, host, port, label, service] of cases)
    assert.deepEqual(parseTarget(text), { host, port, label, service }, text);
});

test("what is no target is refused with examples", () => {
  const wrong = [
    "",
    "0",
    "65536",
    "99999999",
    "022",
    "+22",
    "-1",
    "2.5",
    "telnetd",
    "host",
    "host:",
    ":22",
    "host:0",
    "::1:22",
  ];
  wrong.push(
    "[::1]",
    "[::1]22",
    "[nas]:22",
    "[]:22",
    "a b:22",
    "host:22:33",
    "http://host:80",
    "toString",
    "host:constructor",
    "22 ",
  );
  for (const text of wrong)
    assert.throws(
      () => parseTarget(text),
      (error) => error instanceof RdvError && error.code === "usage" && error.message.includes("host:port"),
      `"${text}"`,
    );
});

test("a bridge address is spelt as socat spells it", () => {
  const cases: readonly (readonly [string, "connect" | "listen", string, number])[] = [
    ["tcp:public:1234", "connect", "public", 1234],
    ["TCP:[::1]:22", "connect", "::1", 22],
    ["tcp-connect:10.0.0.1:22,nodelay", "connect", "10.0.0.1", 22],
    ["tcp-listen:1234", "listen", "::", 1234],
    ["TCP-LISTEN:1234,fork,reuseaddr", "listen", "::", 1234],
    ["tcp-l:127.0.0.1:0,reuseaddr=1", "listen", "127.0.0.1", 0],
    ["tcp-listen:[::1]:5678", "listen", "::1", 5678],
    ["tcp-listen:*:5678", "listen", "::", 5678],
  ];
  for (const [text, type, host, port] of cases) {
    const address = parseBridgeAddress(text);
    assert.deepEqual([address.type, address.host, address.port], [type, host, port], text);
  }
});

test("what is no bridge address is refused, and the text says what is wrong with it", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /must start with "tcp:"/],
    ["1234", /must start with "tcp:"/],
    ["udp:host:53", /must start with "tcp:"/],
    ["constructor:host:53", /must start with "tcp:"/],
    ["tcp:22", /names no host/],
    ["tcp:*:22", /names no host/],
    ["tcp:host", /not HOST:PORT/],
    ["tcp:host:0", /0 is not a port/],
    ["tcp:host:65536", /65536 is not a port/],
    ["tcp:::1:22", /brackets/],
    ["tcp-listen:", /not HOST:PORT/],
    ["tcp-listen:99999", /99999 is not a port/],
    ["tcp:host:22,bind=10.0.0.1", /bind=10\.0\.0\.1/],
    ["tcp-listen:22,fork=0", /fork=0/],
  ];
  for (const [text, says] of cases)
    assert.throws(
      () => parseBridgeAddress(text),
      (error) => error instanceof RdvError && error.code === "usage" && says.test(error.message),
      text,
    );
});

test("localhost is dialled where it answered last, and looked up again when that place falls silent", async () => {
  await using block = await claimPorts();
  const target = parseTarget(String(block.port(0)));
  const refusals: string[] = [];
  const dial = createTargetDial(target, {
    answered: () => {},
    refused: (error) => refusals.push(error.message),
  });
  const { signal } = new AbortController();
  const peerOf = async (): Promise<string | undefined> => {
    const socket = await dial(signal);
    const address = socket?.remoteAddress;
    socket?.destroy();
    return address;
  };
  const listen = async (host: string) =>
    await listenTcp({ host, port: block.port(0), onConnection: (socket) => socket.destroy() });
  assert.equal(await peerOf(), undefined);
  assert.equal(refusals.length, 1);
  await using first = await listen("127.0.0.1");
  assert.equal(await peerOf(), "127.0.0.1");
  assert.equal(await peerOf(), "127.0.0.1");
  await first[Symbol.asyncDispose]();
  assert.equal(await peerOf(), undefined);
  await using _second = await listen("127.0.0.1");
  assert.equal(await peerOf(), "127.0.0.1");
  assert.equal(refusals.length, 2);
});

test(
  "who listens on loopback is found without a connection",
  { skip: process.platform !== "linux" },
  async () => {
    await using block = await claimPorts();
    const port = block.port(1);
    const found = async (host: string): Promise<boolean | undefined> =>
      await isListening(parseTarget(`${host}:${port}`));
    assert.equal(await found("localhost"), false);
    for (const host of ["127.0.0.1", "127.0.0.9", "0.0.0.0"]) {
      await using _listener = await listenTcp({
        host,
        port,
        onConnection: () => assert.fail("a connection"),
      });
      assert.deepEqual([await found("localhost"), await found("127.0.0.1")], [true, true], host);
      assert.equal(await found("192.0.2.1"), undefined);
    }
    assert.equal(await found("localhost"), false);
  },
);
