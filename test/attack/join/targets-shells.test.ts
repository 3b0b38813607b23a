import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { attack } from "../../fixtures/attack.ts";
import { claimLines, startHostileControl } from "./hostile-control.ts";
import { paired, startHostileRelay } from "./hostile-relay.ts";
import { machines, skipMachines } from "./machines.ts";
import { createTrap, startVictim } from "./victim.ts";
import type { Machine, Victim } from "./victim.ts";

const shells = machines.filter(({ method }) => method === "socat");
const disguised = [
  "2130706433",
  "0x7f.1",
  "0x7f000001",
  "0177.0.0.1",
  "127.1",
  "127.0.0.01",
  "::",
  "0:0:0:0:0:ffff:7f00:1",
  "0000::1",
  "FE80:0:0:0:0:0:0:1",
  "fd00:0ec2::254",
  "fd00:ec2:0:0:0:0:0:254",
  "::ffff:169.254.169.254",
  "224.0.0.1",
];
const delicate = [
  "169.254.169.254",
  "169.254.1.1",
  "fe80::1",
  "fd00:ec2::254",
  "100.100.100.200",
  "168.63.129.16",
  "::ffff:a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
];

attack(
  {
    point: 14,
    title:
      "an invitation leads a shell to this machine or to a cloud's secrets by an address in disguise, or by a name",
    from: import.meta.url,
    options: { skip: skipMachines, concurrency: 3 },
  },
  async (t) => {
    await Promise.all(
      shells.map(
        async (machine) =>
          await t.test(machine.title, async () => {
            for (const host of disguised) await refused(machine, host, {}, /is no address/);
            for (const address of delicate) {
              const programs = { getent: `#!/bin/sh\nprintf '%s STREAM x\\n' ${address}\n` };
              await refused(machine, address, {}, /set RDV_YES=/);
              await refused(machine, "innocent.example", { programs }, /which is [^]*set RDV_YES=/);
              await refused(machine, address, { env: { RDV_YES: "1" } }, /set RDV_YES=/);
            }
            await agrees(machine, "169.254.169.254");
            await staysWithFirstAddress(machine);
          }),
      ),
    );
    return {
      tries: shells.length * (disguised.length + 3 * delicate.length + 2),
      answer:
        "refused, or asked for by its address; a name is looked up once, and shown with what is dialled",
    };
  },
);

async function refused(
  machine: Machine,
  host: string,
  how: Parameters<typeof startVictim>[3],
  words: RegExp,
): Promise<void> {
  const { output, claims } = await run(machine, host, how);
  assert.match(output, words, host);
  assert.equal(claims, 0, "the code was not used");
}

async function agrees(machine: Machine, host: string): Promise<void> {
  assert.equal((await run(machine, host, { env: { RDV_YES: host } })).claims, 1);
}

/** Each look-up of the name has another answer: the second one would lead elsewhere. */
async function staysWithFirstAddress(machine: Machine): Promise<void> {
  await using trap = await createTrap();
  const asked = join(trap.path, "asked");
  await using relay = await startHostileRelay([paired({}), paired({})]);
  await using control = await startHostileControl({
    claim: (response) => response.end(claimLines(relay.port)),
    edit: (script) => script.replace("host='127.0.0.1'", "host='innocent.example'"),
  });
  const programs = { getent: `#!/bin/sh\necho asked >>${asked}\necho 127.0.0.2 STREAM x\n` };
  await using victim = await startVictim(control.url, machine, trap, {
    programs,
    env: { RDV_METHOD: "socat" },
  });
  await victim.ended(60_000);
  assert.match(said(victim), /what {3}innocent\.example:9, which is 127\.0\.0\.2/);
  assert.equal(await readFile(asked, "utf8"), "asked\n");
}

async function run(
  machine: Machine,
  host: string,
  how: Parameters<typeof startVictim>[3],
): Promise<{ output: string; claims: number }> {
  await using trap = await createTrap();
  await using control = await startHostileControl({
    edit: (script) => script.replace("host='127.0.0.1'", `host='${host}'`),
  });
  await using victim = await startVictim(control.url, machine, trap, {
    ...how,
    env: { RDV_METHOD: "socat", ...how?.env },
  });
  await victim.ended(60_000);
  await victim.unharmed();
  return { output: said(victim), claims: control.claims() };
}

function said(victim: Victim): string {
  const { stdout, stderr } = victim.script.output();
  return stdout + stderr;
}
