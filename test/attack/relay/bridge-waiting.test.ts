import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { createPump } from "../../../net/create-pump.ts";
import { silentLog } from "../../../net/log.ts";
import { createRendezvous } from "../../../relay-node/rendezvous.ts";
import { attack } from "../../fixtures/attack.ts";
import { readHalf } from "../../relay-node/harness.ts";

const host = "127.0.0.1";
const flood = 300;
const newcomers = 5;

async function dialFrom(localAddress: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, localAddress, allowHalfOpen: true }).on("error", () => {});
  await once(socket, "connect");
  return socket;
}

attack(
  { point: 9, title: "fills a port of rdv bridge with callers that wait", from: import.meta.url },
  async () => {
    await using pump = await createPump({ choice: "auto", log: silentLog });
    const { signal } = new AbortController();
    const [a, b] = [
      { host, port: 0 },
      { host, port: 0 },
    ];
    await using place = await createRendezvous({ a, b, once: false, pump, log: silentLog, signal });
    const strangers: Socket[] = [];
    for (let i = 0; i < flood; i += 1) strangers.push((await dialFrom("127.0.7.1", place.a.port)).resume());
    const waiting = [];
    for (let i = 0; i < newcomers; i += 1)
      waiting.push(readHalf(await dialFrom(`127.0.9.${i + 1}`, place.a.port)));
    waiting.forEach(({ socket }, at) => socket.write(String(at)));
    const heard = new Set<string>();
    const partners = [];
    for (const socket of strangers) socket.destroy();
    // A caller that went away unseen may be joined once more; its partner hears nothing.
    while (heard.size < newcomers) {
      const partner = readHalf(await dialFrom("127.0.8.1", place.b.port));
      partners.push(partner);
      heard.add(String(await partner.received(1).catch(() => "")));
      heard.delete("");
    }
    assert.deepEqual([...heard].sort(), ["0", "1", "2", "3", "4"]);
    for (const { socket } of [...waiting, ...partners]) socket.destroy();
    return { tries: flood, answer: "the oldest of the largest source gives way: newcomers served 5 of 5" };
  },
);
