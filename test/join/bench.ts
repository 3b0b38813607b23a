import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { IncomingMessage, ServerResponse } from "node:http";
import { claimAnswer } from "../../control/join/claim-answer.ts";
import { joinFiles } from "../../control/join/embedded.ts";
import { joinScript } from "../../control/join/script.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import type { Ticket } from "../../protocol/tickets.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { startBench } from "../relay-node/harness.ts";

/** A relay, its control link, and a web server that hands out join scripts. */
export interface JoinBench extends AsyncDisposable {
  /** An invitation to reach `target`; `seconds` is its life from the claim on, `changes` what its ticket says otherwise than usual. */
  invite(target: string, seconds?: number, changes?: Partial<Ticket>): Promise<Invited>;
}

/** One invitation and what came of it. */
export interface Invited {
  readonly url: string;
  readonly session: string;
  /** Where clients of the session connect, on 127.0.0.1. */
  readonly clientPort: number;
  /** What the machines that claimed it said of themselves. */
  readonly claims: Record<string, string>[];
  /** Ends the session, as the inviter does. */
  end(): void;
}

interface Served {
  readonly script: string;
  readonly claims: Record<string, string>[];
  claim(): Promise<string>;
}

/** With `tls` the relay has a key, and scripts that can speak TLS do. */
export async function startJoinBench({ tls }: { readonly tls?: Identity } = {}): Promise<JoinBench> {
  await using held = new AsyncDisposableStack();
  const ports = held.use(await claimPorts());
  const bench = held.use(await startBench({ sharedPort: ports.port(0), ...(tls ? { tls } : {}) }));
  const invitations = new Map<string, Served>();
  const web = createServer((request, response) => void serve(request, response, invitations));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  held.defer(() => web.close().closeAllConnections());
  const origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`; // A listening TCP server has such an address.
  let last = 0;
  let ownPorts = 0;

  async function invite(target: string, seconds = 3_600, changes: Partial<Ticket> = {}): Promise<Invited> {
    last += 1;
    const code = `TESTS-${String(last).padStart(5, "0")}`;
    const url = `${origin}/j/${code}`;
    const clientPort = changes.clientPort ?? ports.port((ownPorts += 1));
    const session = `s_joined${String(last).padStart(20, "0")}`;
    const expiresAt = (): number => Math.floor(Date.now() / 1_000) + seconds;
    const claims: Record<string, string>[] = [];
    const claim = async (): Promise<string> => {
      const expires = expiresAt();
      const ticket = await bench.ticket({ session, name: "help", clientPort, expires, ...changes });
      return claimAnswer(
        { relay: "127.0.0.1", port: ports.port(0), tls: bench.tls, ticket, expires, pool: 2 },
        Date.now(),
      );
    };
    const script = joinScript({
      url,
      code,
      inviter: "Hélène d'Arc",
      target,
      address: `127.0.0.1:${clientPort}`,
      expires: new Date(expiresAt() * 1_000),
      sessionName: "help",
      relayTls: bench.tls !== null,
    });
    invitations.set(code, { script, claims, claim });
    return {
      url,
      session,
      clientPort,
      claims,
      end: () => bench.control.end({ session, until: expiresAt() }),
    };
  }

  const stack = held.move();
  return {
    invite,
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** `/j/CODE`, its agents and its claim, as the control plane has them. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  invitations: ReadonlyMap<string, Served>,
): Promise<void> {
  const [, , code = "", part] = (request.url ?? "").split("/");
  const invitation = invitations.get(code);
  const file = Object.entries(joinFiles).find(([name]) => name === part)?.[1];
  if (!invitation)
    return void response.writeHead(404).end("This invitation is over, or its code is mistyped.\n");
  if (part === undefined) return void response.end(invitation.script);
  if (file) return void response.end(file.text);
  if (part !== "claim" || request.method !== "POST")
    return void response.writeHead(404).end("Nothing here.\n");
  const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
  const claim = Object.fromEntries(form);
  const taken = invitation.claims.some((earlier) => earlier["machine"] !== claim["machine"]);
  if (taken) return void response.writeHead(409).end("Another machine has used this invitation.\n");
  invitation.claims.push(claim);
  response.end(await invitation.claim());
}
