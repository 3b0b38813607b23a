import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { openMeeting } from "../../../net/direct/meeting.ts";
import { createOwnCheck, isDialable } from "../../../net/direct/local-addresses.ts";
import { attack } from "../../fixtures/attack.ts";

attack(
  {
    point: 16,
    title:
      "an offer of the direct path names this machine's own addresses in every spelling, to reach what is open to it alone",
    from: import.meta.url,
  },
  async () => {
    const entry = { netmask: "", mac: "", internal: false, cidr: null };
    const isOwn = createOwnCheck(() => ({
      lo: [{ ...entry, address: "10.9.9.9", family: "IPv4" as const }],
      eth0: [
        { ...entry, address: "192.0.2.7", family: "IPv4" as const },
        { ...entry, address: "2001:db8::7", family: "IPv6" as const, scopeid: 0 },
        { ...entry, address: "fe80::7", family: "IPv6" as const, scopeid: 2 },
      ],
    }));
    const own = ["192.0.2.7", "10.9.9.9", "::ffff:192.0.2.7", "::ffff:c000:207", "0:0:0:0:0:FFFF:C000:0207"];
    const own6 = ["2001:db8::7", "2001:DB8:0:0:0:0:0:7", "2001:db8:0::0.0.0.7", "fe80::7", "fe80::7%eth0"];
    const embedded = ["64:ff9b::192.0.2.7", "2002:c000:207::1", "::192.0.2.7", "127.0.0.1", "0.0.0.0", "::"];
    for (const address of [...own, ...own6]) assert.ok(isOwn(address), address);
    for (const address of embedded) assert.ok(!isDialable(address), address);
    for (const address of ["192.0.2.8", "2001:db8::8", "::ffff:192.0.2.8"])
      assert.ok(!isOwn(address), address);
    return { tries: own.length + own6.length + embedded.length, answer: "it is never dialled" };
  },
);

attack(
  {
    point: 16,
    title: "both ends of a direct path are told to dial a service of this very machine",
    from: import.meta.url,
  },
  async () => {
    let dialled = 0;
    await using service = createServer((socket) => {
      dialled += 1;
      socket.destroy();
    }).listen(0, "0.0.0.0");
    await once(service, "listening");
    const { port } = service.address() as AddressInfo; // a TCP server that listens has an address object
    const signal = AbortSignal.timeout(20_000);
    await using meeting = await openMeeting({ places: [], signal });
    const addresses = Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).map(({ address }) => address),
    );
    const targets = [...addresses, "127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"].map(
      (address) => ({
        kind: "host" as const,
        listens: true,
        address,
        port,
      }),
    );
    await meeting.meet({
      targets,
      chooses: true,
      prove: async () => await Promise.reject(new Error("a service of this machine was dialled")),
      onMet: () => {},
      signal,
      timeoutMs: 500,
    });
    assert.equal(dialled, 0);
    return { tries: 5, answer: "nothing of it is dialled" };
  },
);
