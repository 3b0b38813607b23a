import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { SeenAddress } from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import { addressPath } from "../../protocol/handshake.ts";
import { dialTcp } from "../dial.ts";
import { secureClient } from "../tls/secure-client.ts";

/** Who can tell how it sees this machine: a relay's shared port, or a control plane that sees ports. */
export interface AskPlace {
  readonly host: string;
  readonly port: number;
  /** Fingerprint of its key; null when it speaks plain TCP. */
  readonly tls: string | null;
}

/** The answer, and the connection that keeps the NAT's mapping as long as it is open. */
export interface Asked extends Disposable {
  readonly seen: SeenAddress;
}

/** An answer has about 100 bytes. */
const answerBytes = 1_024;

/**
 * Asks from one local port how that place sees it, in IPv4: IPv6 addresses are not translated, as a rule.
 * Throws RdvError, or the reason of `signal`.
 */
export async function askAddress(
  place: AskPlace,
  localPort: number,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Asked> {
  const local = { address: "0.0.0.0", port: localPort };
  const tcp = await dialTcp({ host: place.host, port: place.port, signal, timeoutMs, local });
  const options = { where: `${place.host}:${place.port}`, signal, timeoutMs };
  const socket = place.tls === null ? tcp : await secureClient(tcp, { fingerprint: place.tls, ...options });
  try {
    const seen = await ask(socket, options);
    return { seen, [Symbol.dispose]: () => void socket.destroy() };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function ask(
  socket: Socket,
  { where, signal, timeoutMs }: { where: string; signal: AbortSignal; timeoutMs: number },
): Promise<SeenAddress> {
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = () => socket;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ agent, host: where, path: addressPath, headers: { host: where }, signal: limit })
    .once("response", resolve)
    .on("error", reject)
    .end();
  try {
    const response = await promise;
    if (response.statusCode !== 200) throw new Error(`HTTP status ${response.statusCode}`);
    return SeenAddress.parse(JSON.parse(await readText(response)));
  } catch (cause) {
    signal.throwIfAborted();
    throw new RdvError("unreachable", `${where} does not say how it sees this machine`, { cause });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("latin1")) {
    text += chunk as string; // an encoding is set
    if (text.length > answerBytes) throw new Error(`an answer of more than ${answerBytes} bytes`);
  }
  return text;
}
