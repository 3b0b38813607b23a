import { createHash } from "node:crypto";
import { hostname } from "node:os";
import type { MeasuredPump } from "../net/create-pump.ts";
import { createDisposalStack } from "../net/disposal-stack.ts";
import type { Log } from "../net/log.ts";
import type { Identity } from "../net/tls/certificate.ts";
import { hostPort } from "../protocol/api.ts";
import { createApi } from "../protocol/client.ts";
import type { Api } from "../protocol/client.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { isLoopbackHost } from "../protocol/plain-address.ts";
import { loadRelayId } from "../relay-node/relay-id.ts";
import { createRelayNode } from "../relay-node/relay-node.ts";
import type { RelayNode } from "../relay-node/relay-node.ts";
import { createControlHost } from "./host/control-host.ts";
import { ownHostFor, publicHostFor } from "./public-host.ts";
import { loadSecrets } from "./secrets.ts";
import { createSigningKeyStore } from "./signing-key-store.ts";
import { lockState } from "../state/lock.ts";

export interface UpOptions {
  readonly stateDir: string;
  /** Local address of all listeners. */
  readonly host: string;
  /** What others are told; by default the listen address, or the first address of this machine. */
  readonly publicHost?: string | undefined;
  /** Origin of the control plane for others, when a proxy stands before it. */
  readonly publicUrl?: string | undefined;
  /** Addresses and ranges of the proxies that are believed about their clients; by default nobody. */
  readonly trustProxy?: readonly string[];
  readonly controlPort: number;
  readonly relayPort: number;
  readonly ports: { readonly from: number; readonly to: number };
  readonly region: string;
  /** Key of the relay's shared port, when it takes TLS. */
  readonly tls?: Identity | undefined;
  readonly pump: MeasuredPump;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** For the relay's shared port; see `RelayNodeOptions`. */
  readonly metricsToken?: string | undefined;
}

/** A control plane and a relay in this process. */
export interface Up extends AsyncDisposable {
  /** URL of the control plane, as others reach it. */
  readonly control: string;
  /** URL of the control plane, as this process reaches it. */
  readonly ownControl: string;
  /** `host:port` of the relay's shared port. */
  readonly relay: string;
  /** The owner's key. */
  readonly token: string;
  /** What both count, in the Prometheus text format. */
  metricsText(): Promise<string>;
}

/**
 * Starts a control plane and one relay on a state directory, and resolves when the relay has joined.
 * Throws `state_locked` when another process has the directory and `port_in_use` when a port is taken.
 */
export async function createUp(options: UpOptions): Promise<Up> {
  await using stack = createDisposalStack();
  const { host, stateDir, log } = options;
  stack.use(lockState(stateDir));
  const { ownerToken } = loadSecrets(stateDir);
  const publicHost = options.publicHost ?? publicHostFor(host);
  const control = stack.use(
    await createControlHost({
      host,
      port: options.controlPort,
      stateDir,
      env: {
        RDV_ADMIN_KEY_HASH: createHash("sha256").update(ownerToken).digest("hex"),
        RDV_PUBLIC_URL: options.publicUrl,
        RDV_NETWORK_URL: networkOrigin(publicHost, options.controlPort),
      },
      signingKeys: createSigningKeyStore(stateDir),
      trustProxy: options.trustProxy,
      names: [publicHost, ...(isLoopbackHost(host) ? [] : [hostname()])],
      log,
    }),
  );
  const ownControl = `http://${hostPort(ownHostFor(host), control.port)}`;
  const id = await loadRelayId(stateDir);
  await keepRelay(createApi({ url: ownControl, token: ownerToken }), id);
  const relay = stack.use(
    await createRelayNode({
      id,
      listenHost: host,
      publicHost,
      sharedPort: options.relayPort,
      ports: options.ports,
      region: options.region,
      control: { url: ownControl, token: ownerToken },
      stateDir,
      tls: options.tls,
      metricsToken: options.metricsToken,
      pump: options.pump,
      log,
      signal: options.signal,
    }),
  );
  await readyUnlessAborted(relay, options.signal);
  const owned = stack.move();
  return {
    control: options.publicUrl ?? `http://${hostPort(publicHost, control.port)}`,
    ownControl,
    relay: hostPort(publicHost, relay.sharedPort),
    token: ownerToken,
    metricsText: async () => relay.metricsText() + (await metricsOf(ownControl, ownerToken)),
    [Symbol.asyncDispose]: async () => owned[Symbol.asyncDispose](),
  };
}

async function metricsOf(control: string, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${control}/metrics`, {
    headers,
    signal: AbortSignal.timeout(limits.requestMs),
  });
  return await response.text();
}

/** Who starts this owns the relay, whatever key and certificate it had before. */
async function keepRelay(api: Api, id: string): Promise<void> {
  await api.rekeyRelay(id, { key: "root" }).catch((error: unknown) => {
    if (!(error instanceof RdvError && error.code === "not_found")) throw error;
  });
}

/** Where other machines find the control plane, if any do; a port that the system chooses is not known yet. */
function networkOrigin(publicHost: string, port: number): string | undefined {
  return port === 0 || isLoopbackHost(publicHost) ? undefined : `http://${hostPort(publicHost, port)}`;
}

/** Throws the signal's reason: a relay whose link was aborted is never welcomed. */
async function readyUnlessAborted({ ready }: RelayNode, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error); // abort() without a reason gives an Error, too
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([ready, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
