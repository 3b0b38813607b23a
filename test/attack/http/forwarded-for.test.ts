import assert from "node:assert/strict";
import { isIP } from "node:net";
import type { Socket } from "node:net";
import { createControlHost } from "../../../embedded/host/control-host.ts";
import type { ControlHost } from "../../../embedded/host/control-host.ts";
import { createPeerReader } from "../../../embedded/host/trusted-proxies.ts";
import { silentLog } from "../../../net/log.ts";
import { newCode } from "../../../protocol/invitations.ts";
import { limits } from "../../../protocol/limits.ts";
import { createSecrets } from "../../control/control-under-test.ts";
import { attack } from "../../fixtures/attack.ts";
import { seededRandom } from "../../fixtures/random.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { hostileHop } from "./hostile-hops.ts";

const from = import.meta.url;

attack(
  { point: 11, title: "sends wrong tokens from one address, each with another X-Forwarded-For", from },
  async () => {
    await using folder = await createTempDir();
    await using control = await startControl(folder.path);
    const tries = 2 * limits.wrongTokenRate.burst;
    const statuses = await all(tries, async (i) => {
      const authorization = `Bearer rdv_dave_wrongwrongwrong${i}`;
      return await status(`${control.url}/v1/sessions`, { authorization, ...forwarded(i) });
    });
    const refused = statuses.filter((one) => one === 429).length;
    assert.ok(refused >= tries / 4, `${refused} of ${tries} were refused for their number`);
    return { tries, answer: "all count as one source, which has to wait" };
  },
);

attack(
  { point: 11, title: "guesses codes from one address, each with another X-Forwarded-For", from },
  async () => {
    await using folder = await createTempDir();
    await using control = await startControl(folder.path);
    const tries = 10 * limits.guessRate.burst;
    const statuses = await all(tries, async (i) => {
      const code = newCode((bytes) => crypto.getRandomValues(bytes));
      return await status(`${control.url}/j/${code}`, forwarded(i));
    });
    const tried = statuses.filter((one) => one === 404).length;
    assert.ok(tried <= 2 * limits.guessRate.burst, `${tried} codes were tried`);
    return { tries, answer: "all count as one source, which has to wait" };
  },
);

attack(
  { point: 11, title: "writes texts that are no address into X-Forwarded-For behind a trusted proxy", from },
  async () => {
    const read = createPeerReader(["127.0.0.0/8", "::1"]);
    const random = seededRandom(11);
    const tries = 20_000;
    for (let i = 0; i < tries; i += 1) {
      const header = hostileHop(random);
      const { address = "" } = read(requestOf("::ffff:127.0.0.1", header));
      assert.ok(isIP(address) && !address.includes("%"), `${JSON.stringify(header)} became ${address}`);
      const isWritten = header.toLowerCase().includes(address);
      assert.ok(address === "127.0.0.1" || isWritten || isIP(header) === 6, `${header} became ${address}`);
    }
    return { tries, answer: "no such text is shown or counted: the proxy's own address is" };
  },
);

attack(
  { point: 11, title: "sends an X-Forwarded-For of its own through a trusted proxy, which adds to it", from },
  async () => {
    const read = createPeerReader(["127.0.0.1", "10.0.0.0/8"]);
    const random = seededRandom(12);
    const tries = 20_000;
    for (let i = 0; i < tries; i += 1) {
      const lies = Array.from({ length: Math.floor(random() * 40) }, () => hostileHop(random));
      const client = `198.51.${(i >> 8) & 255}.${i & 255}`;
      const proxies = random() < 0.5 ? [] : ["10.1.2.3"];
      const header = [...lies, client, ...proxies].join(", ");
      assert.equal(read(requestOf("127.0.0.1", header)).address, client, header);
    }
    return { tries, answer: "the last address that is no trusted proxy's counts, whatever stands before it" };
  },
);

async function startControl(stateDir: string): Promise<ControlHost> {
  const env = await createSecrets();
  return await createControlHost({ host: "127.0.0.1", port: 0, stateDir, env, log: silentLog });
}

function forwarded(i: number): Record<string, string> {
  const address = `198.18.${i >> 8}.${i & 255}`;
  return {
    "x-forwarded-for": address,
    forwarded: `for=${address}`,
    "x-real-ip": address,
    "cf-connecting-ip": address,
  };
}

async function status(url: string, headers: Record<string, string>): Promise<number> {
  const response = await fetch(url, { headers });
  await response.arrayBuffer();
  return response.status;
}

async function all<T>(count: number, one: (i: number) => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: count }, async (_, i) => await one(i)));
}

/** A request as far as the reader looks at it. */
function requestOf(
  remoteAddress: string,
  header: string,
): Parameters<ReturnType<typeof createPeerReader>>[0] {
  const socket = { remoteAddress, remotePort: 1 } as Socket; // it reads nothing else of the socket
  return { socket, headers: { host: "rdv.example.org", "x-forwarded-for": header } };
}
