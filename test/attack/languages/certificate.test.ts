import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createIdentity, fingerprintOf } from "../../../net/tls/certificate.ts";
import { attack } from "../../fixtures/attack.ts";
import { runOk } from "../../fixtures/processes.ts";
import { seededRandom } from "../../fixtures/random.ts";
import { requireProgram } from "../../join/programs.ts";
import { skipLanguages } from "./agents.ts";

const source = new URL("../../../control/join/sources/agent.py", import.meta.url);
const tries = 4_000;

attack(
  {
    point: 3,
    title:
      "a certificate is built so that the python3 agent reads the relay's key in it and TLS uses another",
    from: import.meta.url,
    options: { skip: skipLanguages },
  },
  async () => {
    const [relay, rogue] = [createIdentity(), createIdentity()];
    const key = new X509Certificate(relay.cert).publicKey.export({ type: "spki", format: "der" });
    const random = seededRandom(3);
    const below = (end: number): number => Math.floor(random() * end);
    const bases = [new X509Certificate(rogue.cert).raw, new X509Certificate(relay.cert).raw];
    const made = Array.from({ length: tries }, (_, i) => {
      const base = Buffer.from(bases[i % 2] ?? []);
      const at = below(base.length);
      if (i % 4 === 0) return Buffer.concat([base.subarray(0, at), key, base.subarray(at + below(100))]);
      for (let change = 0; change < 1 + (i % 3); change += 1) base[below(base.length)] = below(256);
      return i % 5 === 0 ? base.subarray(0, at) : base;
    });
    const [, reader = ""] =
      /\n(def fingerprint[\s\S]*?)\ndef read_head/.exec(await readFile(source, "utf8")) ?? [];
    const program = `import base64, hashlib, sys\n${reader}
for line in sys.stdin:
    try:
        print(fingerprint(bytes.fromhex(line.strip())))
    except (OSError, IndexError):
        print("refused")
`;
    const input = `${made.map((der) => der.toString("hex")).join("\n")}\n`;
    const read = (await runOk(requireProgram("python3"), ["-c", program], { input })).split("\n");
    let same = 0;
    made.forEach((der, i) => {
      if (read[i] !== relay.fingerprint) return;
      const used = keyOf(der);
      if (used !== undefined) assert.equal(used, relay.fingerprint, der.toString("hex"));
      same += 1;
    });
    assert.ok(same > 100, "altered certificates of the relay's key were read at all");
    return { tries, answer: "it reads the same key as TLS, or refuses" };
  },
);

/** The key that OpenSSL takes from a certificate; undefined when it takes none. */
function keyOf(der: Buffer): string | undefined {
  try {
    return fingerprintOf(der);
  } catch {
    return undefined;
  }
}
