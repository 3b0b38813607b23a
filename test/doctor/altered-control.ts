import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Identity } from "../../net/tls/certificate.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { RelayCandidates } from "../../protocol/api.ts";

interface Changes {
  /** Added to the clock that the answers show. */
  readonly clockSeconds?: number;
  readonly relays?: (relays: RelayCandidate[]) => readonly RelayCandidate[];
  /** Speaks TLS with this certificate. */
  readonly identity?: Identity;
}

/** A proxy before a real control plane that changes some of what it answers. */
export async function alterControl(
  control: string,
  changes: Changes,
): Promise<AsyncDisposable & { readonly url: string }> {
  const answer = answerFrom(control, changes);
  const { identity } = changes;
  const server = identity
    ? createTlsServer({ key: identity.key, cert: identity.cert }, answer)
    : createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  return {
    url: `${identity ? "https" : "http"}://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answerFrom(control: string, { clockSeconds = 0, relays }: Changes): RequestListener {
  return (request, response) => {
    void (async () => {
      const { status, text, type } = await ask(control, request);
      const isCandidates = status === 200 && request.url === "/v1/relays/candidates";
      const body = isCandidates && relays ? changed(text, relays) : text;
      const date = new Date(Date.now() + clockSeconds * 1_000).toUTCString();
      response.writeHead(status, { date, "content-type": type }).end(body);
    })();
  };
}

async function ask(control: string, request: IncomingMessage) {
  const { authorization } = request.headers;
  const headers = authorization === undefined ? {} : { authorization };
  const answer = await fetch(`${control}${request.url}`, { headers });
  return { status: answer.status, text: await answer.text(), type: answer.headers.get("content-type") ?? "" };
}

function changed(text: string, change: (relays: RelayCandidate[]) => readonly RelayCandidate[]): string {
  return JSON.stringify({ relays: change(RelayCandidates.parse(JSON.parse(text)).relays) });
}
