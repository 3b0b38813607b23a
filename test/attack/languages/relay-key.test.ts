import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { createIdentity } from "../../../net/tls/certificate.ts";
import type { Identity } from "../../../net/tls/certificate.ts";
import { attack } from "../../fixtures/attack.ts";
import { startService } from "../../fixtures/services.ts";
import { until } from "../../fixtures/within.ts";
import { listenOn, paired } from "../join/hostile-relay.ts";
import { languages, skipLanguages, startAgent, ticket } from "./agents.ts";

const own = createIdentity();
const options = { skip: skipLanguages };

for (const language of languages) {
  attack(
    {
      point: 3,
      title: `somebody on the way answers the ${language.method} agent with a key of his own, an older TLS, or in the clear`,
      from: import.meta.url,
      options,
    },
    async () => {
      const seen: string[] = [];
      const impostors = [
        secureRelay(
          createIdentity(),
          (socket) => void socket.on("data", (bytes) => seen.push(String(bytes))),
        ),
        secureRelay(own, (socket) => void socket.on("data", (bytes) => seen.push(String(bytes))), "TLSv1.2"),
        createServer((socket) => {
          socket.on("error", () => {}).on("data", (bytes) => seen.push(bytes.toString("latin1")));
          socket.write("HTTP/1.1 100 Continue\r\nRdv-Waiting: yes\r\n\r\n");
        }),
      ];
      for (const impostor of impostors) {
        await using listening = await listenOn(impostor);
        const settings = { RDV_PORT: String(listening.port), RDV_TLS: own.fingerprint };
        await using agent = await startAgent(language, settings);
        await agent.says("is away", 30_000);
        assert.ok(!seen.join("").includes(ticket), "the ticket stays secret");
        assert.doesNotMatch(agent.output().stderr, /ready:/);
      }
      return { tries: impostors.length, answer: "the connection ends before the ticket is sent" };
    },
  );

  attack(
    {
      point: 3,
      title: `somebody on the way listens to the ${language.method} agent, and cuts its stream with a FIN`,
      from: import.meta.url,
      options,
    },
    async () => {
      const ends: string[] = [];
      await using service = await startService((socket) => {
        socket.once("error", (error: NodeJS.ErrnoException) => ends.push(error.code ?? ""));
        socket.once("end", () => ends.push("end"));
        socket.on("data", () => {});
      });
      await using relay = await listenOn(secureRelay(own, servingOne()));
      const heard: Buffer[] = [];
      const between: Socket[] = [];
      await using tap = await listenOn(tapOf(relay.port, heard, between));
      const settings = { RDV_PORT: String(tap.port), RDV_TLS: own.fingerprint };
      await using agent = await startAgent(language, { ...settings, RDV_HOST_PORT: String(service.port) });
      await agent.says("opened: 192.0.2.7:7007", 30_000);
      await until(20_000, "the service is dialled", () => service.accepted() > 0 || undefined);
      for (const socket of between) socket.end();
      await until(20_000, "the service hears of it", () => ends[0]);
      assert.deepEqual(ends, ["ECONNRESET"]);
      const wire = Buffer.concat(heard).toString("latin1");
      assert.ok(!wire.includes(ticket) && !wire.includes("HTTP/1.1"), "nothing can be read on the way");
      return { tries: 1, answer: "nothing readable passes, and a cut stream is a reset, never an end" };
    },
  );
}

/** A relay that has this key, in TLS alone. */
function secureRelay(
  { key, cert }: Identity,
  serve: (socket: TLSSocket) => void,
  maxVersion: "TLSv1.2" | "TLSv1.3" = "TLSv1.3",
): ReturnType<typeof createTlsServer> {
  return createTlsServer({ key, cert, maxVersion, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {}); // Agents reset what they do not trust.
    serve(socket);
  });
}

/** Every half waits; the first is paired at once. */
function servingOne(): (socket: TLSSocket) => void {
  let served = 0;
  return (socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 100 Continue\r\nRdv-Waiting: yes\r\n\r\n");
      served += 1;
      if (served === 1) socket.write(`${paired({ demand: "0" })}hello`);
    });
  };
}

/** Somebody on the way to a port, who reads what passes; `near` are his connections with those who dial. */
function tapOf(port: number, heard: Buffer[], near: Socket[]): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    const far = connect({ port, host: "127.0.0.1" });
    near.push(socket);
    for (const [from, to] of [
      [socket, far],
      [far, socket],
    ] as const)
      from
        .on("error", () => to.destroy())
        .on("data", (bytes: Buffer) => {
          heard.push(bytes);
          if (!to.writableEnded) to.write(bytes);
        });
  });
}
