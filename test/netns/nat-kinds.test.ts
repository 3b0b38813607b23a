import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createNetwork, skipWithoutNamespaces, uplink } from "../fixtures/network.ts";
import type { Machine, NatKind } from "../fixtures/network.ts";
import { run, startProcess } from "../fixtures/processes.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

const skip = skipWithoutNamespaces() || skipWithout("nc", "ip6tables");
const program = join(import.meta.dirname, "seen-port-process.ts");
const localPort = 23_456;
const servicePort = 9_000;

/** What a machine behind the NAT gets to hear of those who dial the outside port of a port that it has used. */
const kinds: readonly { kind: NatKind; oneOutsidePort: boolean; sameAddress: boolean; others: boolean }[] = [
  { kind: "full-cone", oneOutsidePort: true, sameAddress: true, others: true },
  { kind: "address-restricted", oneOutsidePort: true, sameAddress: true, others: false },
  { kind: "port-restricted", oneOutsidePort: true, sameAddress: false, others: false },
  { kind: "symmetric", oneOutsidePort: false, sameAddress: false, others: false },
];

for (const { kind, oneOutsidePort, sameAddress, others } of kinds)
  test(`a NAT of the kind ${kind} maps and filters as that name says`, { skip }, async () => {
    await using network = await createNetwork();
    const { internet } = network;
    const [dialled, alsoDialled, stranger] = [
      await internet.host(),
      await internet.host(),
      await internet.host(),
    ];
    const router = await internet.nat(kind);
    const inside = await router.host();
    await using services = new AsyncDisposableStack();
    for (const machine of [dialled, alsoDialled]) {
      const service = services.use(
        startProcess(process.execPath, [program, "listen", String(servicePort)], machine),
      );
      await service.says("listening");
    }

    const places = [dialled, alsoDialled].flatMap(({ address }) => [address, String(servicePort)]);
    await using dialler = startProcess(
      process.execPath,
      [program, "dial", String(localPort), ...places],
      inside,
    );
    await dialler.says("seen");
    const outside = dialler.output().stdout.trim().split(" ").slice(1);
    assert.equal(new Set(outside).size === 1, oneOutsidePort, `outside ports ${outside.join(" and ")}`);

    const port = outside[0] ?? "";
    await inside.iptables(`-A INPUT -i ${uplink} -p tcp --syn -m comment --comment arrived`);
    assert.equal(await comesIn(dialled), sameAddress, "another port of an address that was dialled");
    assert.equal(await comesIn(stranger), others, "an address that was never dialled");

    async function comesIn(from: Machine): Promise<boolean> {
      const before = await inside.packets("arrived");
      await run(requireTool("nc"), ["-z", "-w", "1", router.address, port], from);
      return (await inside.packets("arrived")) > before;
    }
  });

test("machines behind routers reach the internet in IPv6, and nobody dials them", { skip }, async () => {
  await using network = await createNetwork({ ipv6: true });
  const { internet } = network;
  const outside = await internet.host();
  const inside = await (await internet.nat()).host();
  assert.equal(await reaches(inside, outside), true, "from inside");
  assert.equal(await reaches(outside, inside), false, "from outside");

  async function reaches(from: Machine, to: Machine): Promise<boolean> {
    await using service = startProcess(process.execPath, [program, "listen", String(servicePort)], to);
    await service.says("listening");
    const args = ["-z", "-w", "3", to.address6, String(servicePort)];
    return (await run(requireTool("nc"), args, from)).code === 0;
  }
});
