import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A control plane that answers every request with whatever `answer` makes of it. */
export async function startLyingControl(
  answer: (
    method: string,
    path: string,
    body: string,
  ) => { readonly status?: number; readonly body: unknown },
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    void (async () => {
      const { status = 200, body } = answer(request.method ?? "", request.url ?? "", await textOf(request));
      const type = status >= 400 ? "application/problem+json" : "application/json";
      response.writeHead(status, { "content-type": type }).end(JSON.stringify(body));
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** A session in the words of a control plane. */
export function sessionAnswer(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: "s_aaaaaaaaaaaaaaaaaaaaaaaaaa",
    name: "desk",
    target: "localhost:22",
    state: "live",
    epoch: 1,
    address: "192.0.2.1:20000",
    private: false,
    agentKey: "A".repeat(43),
    placements: [placementAnswer()],
    policy: { allow: [], once: false, pairs: 256 },
    createdAt: "2026-01-01T00:00:00.000Z",
    expiresAt: null,
    seenAt: null,
    ...change,
  };
}

export function placementAnswer(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const place = {
    relay: "r_aaaaaaaa",
    region: "here",
    host: "192.0.2.1",
    sharedPort: 8_788,
    clientPort: 20_000,
  };
  return { ...place, tls: null, ...change };
}
