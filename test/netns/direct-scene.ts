import { join } from "node:path";
import { createNetwork } from "../fixtures/network.ts";
import type { Machine, Router } from "../fixtures/network.ts";
import { runRdv, startRdv } from "../fixtures/rdv.ts";
import type { Rdv, RdvOptions } from "../fixtures/rdv.ts";
import type { Finished } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool } from "../fixtures/tools.ts";
import { startPeerService } from "./peers.ts";
import { metricsToken } from "../fixtures/metrics.ts";

/** An internet with a control plane, a relay, and a second machine that nothing runs on. */
export interface DirectScene extends AsyncDisposable {
  readonly internet: Router;
  /** Exposes a service of that machine as a private session; `rdv connect ADDRESS` reaches it. */
  expose(machine: Machine, name: string, ...options: readonly string[]): Promise<Exposed>;
  /** The same for a service that runs already, on this port of the machine itself. */
  exposePort(machine: Machine, port: number, ...options: readonly string[]): Promise<Exposed>;
  /** Runs `rdv connect`; `local` is the address that its programs dial. */
  connect(machine: Machine, address: string, ...options: readonly string[]): Promise<Connected>;
  /** Runs `rdv connect --stdio` to its end with this input. */
  stdio(machine: Machine, address: string, input: string, ...options: readonly string[]): Promise<Finished>;
  /** What the relay and the control plane count. */
  metrics(): Promise<string>;
}

export interface Exposed extends AsyncDisposable {
  readonly rdv: Rdv;
  /** Name and key. */
  readonly address: string;
  /** Starts the same command again, with the state that it had; the service goes on. */
  again(): Promise<Exposed>;
}

export interface Connected extends AsyncDisposable {
  readonly rdv: Rdv;
  readonly local: string;
}

const servicePort = 7_000;

/** Builds the scene; with `ipv6` its machines reach each other without NAT in IPv6. */
export async function openDirectScene({ ipv6 = false } = {}): Promise<DirectScene> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const { internet } = held.use(await createNetwork({ ipv6 }));
  const server = await internet.host();
  const up = held.use(
    startRdv(["up", "--host", server.address], { prefix: server.prefix, stateDir: join(folder, "up") }),
  );
  const { control = "", relay = "", token = "" } = await up.event("ready", { command: "up" });
  const stack = held.move();
  let commands = 0;

  /** A command has a state of its own, as if each were another person's. */
  function optionsOf(machine: Machine): RdvOptions {
    commands += 1;
    const env = { RDV_TOKEN: token, RDV_CONTROL: control };
    return { prefix: machine.prefix, stateDir: join(folder, `state${commands}`), env };
  }

  async function expose(args: readonly string[], options: RdvOptions): Promise<Exposed> {
    await using here = new AsyncDisposableStack();
    const rdv = here.use(startRdv(["expose", "--private", ...args], options));
    const { address = "" } = await rdv.event("ready", { command: "expose" });
    const own = here.move();
    const again = async (): Promise<Exposed> => await expose(args, options);
    return { rdv, address, again, [Symbol.asyncDispose]: async () => await own.disposeAsync() };
  }

  return {
    internet,
    async expose(machine, name, ...options) {
      await using here = new AsyncDisposableStack();
      here.use(await startPeerService(machine, servicePort));
      const target = `${machine.address}:${servicePort}`;
      const args = [target, "--name", name, ...options];
      const exposed = here.use(await expose(args, optionsOf(machine)));
      const own = here.move();
      return { ...exposed, [Symbol.asyncDispose]: async () => await own.disposeAsync() };
    },
    exposePort: async (machine, port, ...options) =>
      await expose([String(port), ...options], optionsOf(machine)),
    async connect(machine, address, ...options) {
      await using here = new AsyncDisposableStack();
      const rdv = here.use(startRdv(["connect", address, ...options], optionsOf(machine)));
      const { local } = await rdv.event("ready", { command: "connect" });
      const own = here.move();
      return { rdv, local: String(local), [Symbol.asyncDispose]: async () => await own.disposeAsync() };
    },
    stdio: async (machine, address, input, ...options) =>
      await runRdv(["connect", address, "--stdio", "-v", ...options], { ...optionsOf(machine), input }),
    async metrics() {
      const authorized = ["-H", `authorization: Bearer ${token}`];
      const curl = async (...args: string[]): Promise<string> =>
        await server.run(requireTool("curl"), "-sf", ...args);
      return (
        (await curl("-H", `authorization: Bearer ${metricsToken}`, `http://${relay}/metrics`)) +
        (await curl(...authorized, `${control}/metrics`))
      );
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}
