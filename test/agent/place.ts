import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createControlHost } from "../../embedded/host/control-host.ts";
import type { ControlHost } from "../../embedded/host/control-host.ts";
import { loadSecrets } from "../../embedded/secrets.ts";
import { createSigningKeyStore } from "../../embedded/signing-key-store.ts";
import { silentLog } from "../../net/log.ts";
import { createPump } from "../../net/create-pump.ts";
import type { Pump } from "../../net/pump.ts";
import { createApi } from "../../protocol/client.ts";
import type { Api } from "../../protocol/client.ts";
import { loadRelayId } from "../../relay-node/relay-id.ts";
import { createRelayNode } from "../../relay-node/relay-node.ts";
import type { RelayNode } from "../../relay-node/relay-node.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

/** A real control plane and a real relay in this process, which can be stopped and started one by one. */
export interface Place extends AsyncDisposable {
  readonly api: Api;
  readonly stateDir: string;
  /** The best pump of this machine, of the relay and for agents. */
  readonly pump: Pump;
  readonly control: ControlHost;
  readonly relay: RelayNode;
  stopControl(): Promise<void>;
  startControl(): Promise<void>;
  stopRelay(): Promise<void>;
  startRelay(): Promise<void>;
}

/** `now` is the clock of the signing keys. */
export async function startPlace({ now = Date.now } = {}): Promise<Place> {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await createTempDir());
  const ports = stack.use(await claimPorts());
  const stateDir = join(dir.path, "state");
  mkdirSync(stateDir, { mode: 0o700 });
  const { ownerToken } = loadSecrets(stateDir);
  const env = {
    RDV_ADMIN_KEY_HASH: createHash("sha256").update(ownerToken).digest("hex"),
  };
  const id = await loadRelayId(stateDir);
  const pump = stack.use(await createPump({ choice: "auto", threads: 1, log: silentLog }));
  const openControl = async (): Promise<ControlHost> =>
    await createControlHost({
      host: "127.0.0.1",
      port: ports.port(0),
      stateDir,
      env,
      signingKeys: createSigningKeyStore(stateDir, now),
      log: silentLog,
    });
  const openRelay = async (): Promise<RelayNode> => {
    const relay = await createRelayNode({
      id,
      listenHost: "127.0.0.1",
      publicHost: "127.0.0.1",
      sharedPort: ports.port(1),
      ports: { from: ports.port(2), to: ports.port(9) },
      region: "local",
      control: { url: `http://127.0.0.1:${ports.port(0)}`, token: ownerToken },
      stateDir,
      pump,
      log: silentLog,
    });
    await relay.ready;
    return relay;
  };
  let control = await openControl();
  let relay = await openRelay();
  return {
    api: createApi({ url: control.url, token: ownerToken }),
    stateDir,
    pump,
    get control() {
      return control;
    },
    get relay() {
      return relay;
    },
    stopControl: async () => await control[Symbol.asyncDispose](),
    startControl: async () => void (control = await openControl()),
    stopRelay: async () => await relay[Symbol.asyncDispose](),
    startRelay: async () => void (relay = await openRelay()),
    [Symbol.asyncDispose]: async () => {
      await relay[Symbol.asyncDispose]();
      await control[Symbol.asyncDispose]();
      await stack.disposeAsync();
    },
  };
}
