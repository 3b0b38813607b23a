import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadSecrets } from "../../embedded/secrets.ts";
import { createNetwork } from "../fixtures/network.ts";
import type { Machine, Router } from "../fixtures/network.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { startRdv } from "../fixtures/rdv.ts";
import { startSshd } from "../fixtures/sshd.ts";
import type { Sshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool } from "../fixtures/tools.ts";
import { startReverseProxy } from "./in-between.ts";

/** A control plane behind https on port 443 of one machine, a relay on port 443 of another, and an agent in an office. */
export interface Port443Scene extends AsyncDisposable {
  readonly client: Machine;
  readonly agent: Machine;
  /** Hides the agent and lets everything out until the test says otherwise. */
  readonly office: Router;
  readonly controlMachine: Machine;
  readonly relayMachine: Machine;
  readonly sshd: Sshd;
  /** The `https://` address of the control plane, whose certificate `env` makes known. */
  readonly control: string;
  readonly token: string;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
}

/** Builds the scene and starts everything but the agent. */
export async function openPort443Scene(): Promise<Port443Scene> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const { internet } = held.use(await createNetwork());
  const office = await internet.nat();
  const [agent, controlMachine, relayMachine] = [
    await office.host(),
    await internet.host(),
    await internet.host(),
  ];
  const client = await (await internet.nat()).host();
  const sshd = held.use(await startSshd({ prefix: agent.prefix, host: "0.0.0.0" }));
  const { inside, token } = await startControl(held, controlMachine, join(folder, "control"));
  const certificate = await makeCertificate(folder, controlMachine.address);
  held.use(await startReverseProxy(controlMachine, { upstream: inside, port: 443, pem: certificate.pem }));

  const relayArgs = ["--region", "eu", "--public-host", relayMachine.address, "--port", "443"];
  const relay = held.use(
    startRdv(["relay", "--control", `http://${inside}`, ...relayArgs], {
      prefix: relayMachine.prefix,
      stateDir: join(folder, "relay"),
      env: { RDV_TOKEN: token },
    }),
  );
  await relay.event("ready", { command: "relay" });
  const stack = held.move();
  return {
    client,
    agent,
    office,
    controlMachine,
    relayMachine,
    sshd,
    control: `https://${controlMachine.address}`,
    token,
    env: { NODE_EXTRA_CA_CERTS: certificate.cert },
    folder,
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

async function startControl(
  held: AsyncDisposableStack,
  machine: Machine,
  stateDir: string,
): Promise<{ inside: string; token: string }> {
  mkdirSync(stateDir, { mode: 0o700 });
  const { signingKeys, ownerToken: token } = loadSecrets(stateDir);
  const program = fileURLToPath(new URL("control-process.ts", import.meta.url));
  const env = {
    ...process.env,
    RDV_SIGNING_KEY: JSON.stringify(signingKeys[0]?.jwk),
    RDV_ADMIN_KEY_HASH: createHash("sha256").update(token).digest("hex"),
  };
  const args = [program, stateDir, machine.address, "8787"];
  const running = held.use(startProcess(process.execPath, args, { prefix: machine.prefix, env }));
  await running.says("http://", 30_000);
  return { inside: `${machine.address}:8787`, token };
}

/** A certificate for an address that signs itself; `pem` is key and certificate in one file. */
async function makeCertificate(folder: string, address: string): Promise<{ cert: string; pem: string }> {
  const [key, cert, pem] = [join(folder, "key.pem"), join(folder, "cert.pem"), join(folder, "both.pem")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const names = ["-subj", "/CN=control", "-addext", `subjectAltName=IP:${address}`];
  await runOk(requireTool("openssl"), ["req", ...kind, ...names, "-keyout", key, "-out", cert]);
  await writeFile(pem, `${await readFile(key, "utf8")}${await readFile(cert, "utf8")}`, { mode: 0o600 });
  return { cert, pem };
}
