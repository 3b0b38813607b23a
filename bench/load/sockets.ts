import type { Address } from "../model.ts";
import { accept4, bind, connect, getsockname, listen, must, setsockopt, socket, wouldWait } from "./libc.ts";

/* Values of Linux, the same on x86-64 and arm64 (socket.h, in.h, tcp.h). */
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_LINGER = 13;
const SO_RCVTIMEO = 20;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const backlog = 4096;
const on = int32(1);
const lingerNone = Buffer.concat([int32(1), int32(0)]);

/** Listens on `host`, a free port, without blocking. */
export function listenSocket(host: string): { fd: number; port: number } {
  const fd = must("socket", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, 4);
  must("bind", bind(fd, socketAddress({ host, port: 0 }), 16));
  must("listen", listen(fd, backlog));
  const name = Buffer.alloc(16);
  must("getsockname", getsockname(fd, name, int32(16)));
  return { fd, port: name.readUInt16BE(2) };
}

/** Takes the next connection, or -1 when none waits. */
export function acceptSocket(listener: number): number {
  const fd = accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, 4);
  return fd;
}

/**
 * Starts a connection from its own loopback source address: thousands of sources keep clear of the ephemeral port
 * range and of limits per source. A blocking one is connected on return.
 */
export function dialSocket(to: Address, serial: number, mode: "blocking" | "nonblocking"): number {
  const flags = mode === "nonblocking" ? SOCK_NONBLOCK : 0;
  const fd = must("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, 4);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, on, 4);
  must("bind", bind(fd, socketAddress({ host: sourceAddress(serial), port: 0 }), 16));
  const result = connect(fd, socketAddress(to), 16);
  if (result < 0 && !wouldWait()) must(`connect to ${to.host}:${to.port}`, result);
  return fd;
}

/** Makes the next `close` of this socket a reset: nothing lingers in TIME_WAIT, nothing queued is sent. */
export function resetOnClose(fd: number): void {
  setsockopt(fd, SOL_SOCKET, SO_LINGER, lingerNone, 8);
}

/** A blocking `recv` fails after this long instead of waiting for ever. */
export function setReceiveTimeout(fd: number, seconds: number): void {
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(seconds), 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, 16);
}

/** One of 2,000 addresses in 127.77.0.0/16. */
function sourceAddress(serial: number): string {
  const place = serial % 2000;
  return `127.77.${1 + Math.floor(place / 250)}.${1 + (place % 250)}`;
}

/** A `sockaddr_in`: family in the machine's order, port and address in the network's. */
function socketAddress({ host, port }: Address): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(host.split(".").map(Number), 4);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
