import assert from "node:assert/strict";
import { join } from "node:path";
import { createNetwork } from "../fixtures/network.ts";
import type { Machine, Network, Router } from "../fixtures/network.ts";
import { startRdv } from "../fixtures/rdv.ts";
import type { Rdv } from "../fixtures/rdv.ts";
import { startSshd } from "../fixtures/sshd.ts";
import type { Sshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

/** An internet with a control plane and its relay on one machine, a client behind a NAT, and an agent's machine. */
export interface Scene extends AsyncDisposable {
  readonly network: Network;
  /** Runs `rdv up`. */
  readonly server: Machine;
  readonly client: Machine;
  /** Hides the client. */
  readonly clientRouter: Router;
  /** Runs sshd; `rdv expose` is for the test to start. */
  readonly agent: Machine;
  /** The routers that hide the agent, the outermost first. */
  readonly routers: readonly Router[];
  readonly sshd: Sshd;
  /** `rdv up`, on the server. */
  readonly up: Rdv;
  readonly control: string;
  readonly token: string;
  /** A directory for files and for the state of more commands. */
  readonly folder: string;
}

/** Builds the scene; `hide` puts the routers between the internet and the agent, by default one NAT. */
export async function openScene(
  hide: (internet: Router) => Promise<readonly Router[]> = oneNat,
): Promise<Scene> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const network = held.use(await createNetwork());
  const { internet } = network;
  const routers = await hide(internet);
  const agent = await (routers.at(-1) ?? internet).host();
  const server = await internet.host();
  const clientRouter = await internet.nat();
  const client = await clientRouter.host();
  const sshd = held.use(await startSshd({ prefix: agent.prefix, host: "0.0.0.0" }));
  const upOptions = { prefix: server.prefix, stateDir: join(folder, "up") };
  const up = held.use(startRdv(["up", "--host", server.address], upOptions));
  const { control = "", token = "" } = await up.event("ready", { command: "up" });
  const stack = held.move();
  const dispose = async (): Promise<void> => await stack.disposeAsync();
  return {
    network,
    server,
    client,
    clientRouter,
    agent,
    routers,
    sshd,
    up,
    control,
    token,
    folder,
    [Symbol.asyncDispose]: dispose,
  };
}

/** A running `rdv expose`, and the address that clients dial. */
export interface Exposed extends AsyncDisposable {
  readonly rdv: Rdv;
  readonly host: string;
  readonly port: number;
}

/** What an exposure needs of a scene; `env` are more variables of its environment. */
type ExposingScene = Pick<Scene, "agent" | "control" | "token" | "folder"> & {
  readonly env?: NodeJS.ProcessEnv;
};

/** Exposes the agent's sshd. */
export async function exposeSshd(
  scene: ExposingScene & Pick<Scene, "sshd">,
  ...more: readonly string[]
): Promise<Exposed> {
  return await exposeTarget(scene, String(scene.sshd.port), ...more);
}

/** Exposes what the agent's machine reaches as `target`. */
export async function exposeTarget(
  { agent, control, token, folder, env }: ExposingScene,
  target: string,
  ...more: readonly string[]
): Promise<Exposed> {
  await using held = new AsyncDisposableStack();
  const args = ["expose", target, "--control", control, ...more];
  const options = {
    prefix: agent.prefix,
    stateDir: join(folder, "agent"),
    env: { RDV_TOKEN: token, ...env },
  };
  const rdv = held.use(startRdv(args, options));
  const { address = "" } = await rdv.event("ready", { command: "expose" });
  const [host = "", port] = address.split(":");
  assert.ok(host !== "" && Number(port) > 0, `an address to dial, not "${address}"`);
  const stack = held.move();
  return { rdv, host, port: Number(port), [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

/** A running `rdv connect`, and where it listens on its machine. */
interface Connected extends AsyncDisposable {
  readonly rdv: Rdv;
  readonly local: string;
}

/** Connects a machine to the session of that name. */
export async function connectTo(
  { control, token, folder, env }: ExposingScene,
  machine: Machine,
  name: string,
  ...more: readonly string[]
): Promise<Connected> {
  await using held = new AsyncDisposableStack();
  const stateDir = join(folder, `connect-${machine.address}`);
  const options = { prefix: machine.prefix, stateDir, env: { RDV_TOKEN: token, ...env } };
  const rdv = held.use(startRdv(["connect", name, "--control", control, ...more], options));
  const { local } = await rdv.event("ready", { command: "connect" });
  const stack = held.move();
  return { rdv, local: String(local), [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

async function oneNat(internet: Router): Promise<readonly Router[]> {
  return [await internet.nat()];
}
