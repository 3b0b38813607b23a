import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { until } from "../../fixtures/within.ts";

/** What a half is told after its `100 Continue`: bytes, one a character, and then the relay's end. */
export type Answer = string;

/** A relay that lies. It tells agents that they wait, then gives each half the next answer, and at the end says `410 Gone`. */
export interface HostileRelay extends AsyncDisposable {
  readonly port: number;
  /** How many answers have been given and taken: their connections are closed. */
  answered(): number;
  /** Answers that say that a client has come, in whatever words, honest ones too. */
  pairs(): number;
}

/** The one client that the relay names honestly. */
export const honestClient = "192.0.2.7:7007";

/**
 * Starts one. Agents ask one half at a time after a lost one, with a pause; so it pairs a half, honestly, with a demand for
 * `batch` halves, and when they wait gives as many hostile answers at once.
 */
export async function startHostileRelay(answers: readonly Answer[], batch = 16): Promise<HostileRelay> {
  const left = [...answers];
  const waiting = new Set<Socket>();
  const open = new Set<Socket>();
  let asked = false;
  let answered = 0;
  let pairs = 0;

  const give = (socket: Socket, answer: string): void => {
    waiting.delete(socket);
    if (answer.startsWith("HTTP/1.1 101")) pairs += 1;
    open.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      if (answer !== honest(batch) && answer !== gone) answered += 1;
      step();
    });
    socket.end(Buffer.from(answer, "latin1"));
    socket.resume();
  };
  const step = (): void => {
    if (open.size > 0 || waiting.size === 0) return;
    const wanted = Math.min(batch, left.length);
    if (wanted === 0) for (const socket of waiting) give(socket, gone);
    else if (waiting.size >= wanted)
      for (const socket of [...waiting].slice(0, wanted)) {
        asked = false;
        give(socket, left.shift() ?? gone);
      }
    else if (!asked) {
      asked = true;
      for (const socket of [...waiting].slice(0, 1)) give(socket, honest(batch));
    }
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {}); // Agents may reset what they do not understand.
    void requestOf(socket).then((whole) => {
      if (!whole) return socket.destroy();
      socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      waiting.add(socket);
      socket.once("close", () => waiting.delete(socket));
      return step();
    });
  });
  return {
    ...(await listenOn(server)),
    answered: () => answered,
    pairs: () => pairs,
  };
}

/** Every place of an answer into which a text can be put. */
export function answersWith(text: string): Answer[] {
  return [
    paired({ demand: text }),
    paired({ client: text }),
    paired({ extra: `${text}\r\n` }),
    paired({ extra: `${text}: 1\r\n` }),
    `HTTP/1.1 503 ${text}\r\n\r\n`,
    `HTTP/1.1 ${text} Foo\r\n\r\n`,
    `HTTP/1.1 101${text} Switching Protocols\r\nRdv-Demand: 3\r\n\r\n`,
    `${text} 101 Switching Protocols\r\nRdv-Client: ${honestClient}\r\n\r\n`,
    `HTTP/1.1 409 Conflict\r\nContent-Type: ${text}\r\n\r\n${text}`,
    `${text}\r\n\r\n`,
  ];
}

interface Paired {
  readonly client?: string;
  readonly demand?: string;
  readonly extra?: string;
}

export function paired({ client = honestClient, demand = "2", extra = "" }: Paired): Answer {
  return `HTTP/1.1 101 Switching Protocols\r\nRdv-Pair: p1\r\nRdv-Client: ${client}\r\n${extra}Rdv-Demand: ${demand}\r\n\r\n`;
}

const gone = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";

function honest(demand: number): Answer {
  return paired({ demand: String(demand) });
}

/** True when the whole head of a half's request has come. */
async function requestOf(socket: Socket): Promise<boolean> {
  let head = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    head += String(chunk);
    if (head.endsWith("\r\n\r\n")) return head.startsWith("GET /v1/agent HTTP/1.1\r\n");
  }
  return false;
}

/** On a free port of 127.0.0.1, until it is disposed of. */
export async function listenOn(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo; // A listening TCP server has such an address.
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await until(5_000, "the sockets are closed", () => (sockets.size === 0 ? true : undefined));
    },
  };
}
