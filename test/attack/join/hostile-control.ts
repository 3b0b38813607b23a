import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { joinFiles } from "../../../control/join/embedded.ts";
import { joinScript } from "../../../control/join/script.ts";
import { listenOn } from "./hostile-relay.ts";

/** A control plane that serves the true script, and whose other answers somebody else writes. */
export interface HostileControl extends AsyncDisposable {
  readonly url: string;
  /** Claims that came. */
  claims(): number;
}

export interface Lies {
  /** What a claim is answered; without it `404`. */
  readonly claim?: (response: ServerResponse) => void;
  /** What a request for an agent's file is answered; without it the true file. */
  readonly file?: (response: ServerResponse) => void;
  /** Whether the script says that the relay has TLS. */
  readonly relayTls?: boolean;
  /** `host:port` that the script is to reach. */
  readonly target?: string;
  /** What becomes of the script before it is served. */
  readonly edit?: (script: string) => string;
}

/** Where the script says that the inviter comes in. */
export const shownAddress = "relay.example:20000";

export async function startHostileControl(lies: Lies): Promise<HostileControl> {
  let claims = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const file = Object.entries(joinFiles).find(([name]) => path === `/j/${code}/${name}`)?.[1];
    if (path === `/j/${code}`) return void response.end(script());
    if (file && lies.file) return lies.file(response);
    if (file) return void response.end(file.text);
    if (path !== `/j/${code}/claim`) return void response.writeHead(404).end();
    claims += 1;
    request.resume();
    if (lies.claim) return lies.claim(response);
    return void response.writeHead(404).end("This invitation is over, or its code is mistyped.\n");
  });
  const listening = await listenOn(server);
  const url = `http://127.0.0.1:${listening.port}/j/${code}`;
  const script = (): string => {
    const text = joinScript({
      url,
      code,
      inviter: "Anna",
      target: lies.target ?? "127.0.0.1:9",
      address: shownAddress,
      expires: new Date(Date.now() + 3_600_000),
      sessionName: "help",
      relayTls: lies.relayTls ?? false,
    });
    return lies.edit ? lies.edit(text) : text;
  };
  return { ...listening, url, claims: () => claims };
}

const code = "K7Q2X-9FMTR";

/** The lines of an honest answer to a claim, with some of them changed; an undefined one is left out. */
export function claimLines(port: number, changes: Readonly<Record<string, string | undefined>> = {}): string {
  const expires = String(Math.floor(Date.now() / 1_000) + 3_600);
  const lines = {
    relay: "127.0.0.1",
    port: String(port),
    ticket,
    expires,
    pool: "2",
    left: "3600",
    ...changes,
  };
  return Object.entries(lines)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`]))
    .join("");
}

const ticket = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
