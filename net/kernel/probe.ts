import { at } from "./at.ts";
import type { Libc } from "./libc.ts";

/**
 * Sends one byte from a socket through a pipe into a socket, as the pump will. Some sandboxes have no splice(2), and
 * it is better to learn that before a pair is lost.
 * @throws Error that says what did not work.
 */
export function probeSplice(libc: Libc): void {
  const open: number[] = [];
  const pair = (make: (into: Int32Array) => number, what: string): readonly [number, number] => {
    const ends = new Int32Array(2);
    if (make(ends) !== 0) throw new Error(`${what} failed with error ${libc.errno()}`);
    open.push(at(ends, 0), at(ends, 1));
    return [at(ends, 0), at(ends, 1)];
  };
  try {
    const [peer, source] = pair((into) => libc.socketPair(into), "socketpair");
    const [sink, reader] = pair((into) => libc.socketPair(into), "socketpair");
    const [readEnd, writeEnd] = pair((into) => libc.pipe(into), "pipe2");
    const byte = new Uint8Array([42]);
    libc.send(peer, byte, 1);
    if (libc.splice(source, writeEnd, 1) !== 1) throw new Error(`splice failed with error ${libc.errno()}`);
    if (libc.splice(readEnd, sink, 1) !== 1) throw new Error(`splice failed with error ${libc.errno()}`);
    if (libc.recv(reader, byte, 1) !== 1 || byte[0] !== 42) throw new Error("splice lost a byte");
  } finally {
    for (const fd of open) libc.close(fd);
  }
}
