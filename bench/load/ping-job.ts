import type { Address } from "../model.ts";
import { header, modes } from "./jobs.ts";
import { close, must, recv, send } from "./libc.ts";
import { dialSocket, resetOnClose, setReceiveTimeout } from "./sockets.ts";
import { noSignal } from "./transfer.ts";

const pingBytes = 64;

/** Round trips of 64 bytes over one connection, one after the other, blocking; returns milliseconds each. */
export function runPings(address: Address, warmup: number, count: number): number[] {
  const fd = dialSocket(address, 0, "blocking");
  try {
    setReceiveTimeout(fd, 5);
    must("send", send(fd, header(modes.echo, 0), 2, noSignal));
    const message = Buffer.alloc(pingBytes, "ping");
    const times: number[] = [];
    for (let serial = 0; serial < warmup + count; serial++) {
      const begin = performance.now();
      roundTrip(fd, message);
      if (serial >= warmup) times.push(performance.now() - begin);
    }
    return times;
  } finally {
    resetOnClose(fd);
    close(fd);
  }
}

function roundTrip(fd: number, message: Buffer): void {
  must("send", send(fd, message, message.length, noSignal));
  for (let got = 0; got < message.length;) {
    const count = recv(fd, message, message.length - got, 0);
    if (count <= 0) throw new Error("the connection ended or was silent for 5 s during the round trips");
    got += count;
  }
}
