import type { Socket } from "node:net";
import type { Target } from "../../agent/target.ts";
import { dialTcp } from "../../net/dial.ts";
import { hostPort } from "../../protocol/api.ts";
import type { RdvError } from "../../protocol/errors.ts";
import { stepMs } from "./bounded.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import { listenAddresses } from "./listen-addresses.ts";

/** Services whose server speaks first. */
const speakFirst: ReadonlySet<string> = new Set(["ssh", "vnc", "mysql"]);
/** What speaks first does so at once, but for an sshd that looks up the caller's name. */
const greetingMs = 2_000;
const greetingBytes = 80;

/** Whether the local service takes connections where the agent dials, and whether it speaks. Nothing is sent to it. */
export async function checkTarget(target: Target, signal: AbortSignal): Promise<Finding> {
  const { host, port, label } = target;
  const begin = performance.now();
  return await judged(
    signal,
    async () => {
      const socket = await dialTcp({ host, port, signal, timeoutMs: stepMs });
      const ms = performance.now() - begin;
      const at = hostPort(socket.remoteAddress ?? host, port);
      return judge(
        target,
        `${label} takes connections at ${at} (${ms.toFixed(0)} ms)`,
        await listenTo(socket),
      );
    },
    (error) => fail("target", `${label}: ${error.message}`, adviceFor(target, error)),
  );
}

interface Heard {
  readonly text: string;
  readonly ended: boolean;
}

function judge({ service }: Target, detail: string, { text, ended }: Heard): Finding {
  if (text !== "") return ok("target", `${detail} and says ${JSON.stringify(text)}`);
  if (ended)
    return warn(
      "target",
      `${detail} and closes at once`,
      "it refuses this machine's own connections: look at its log and its access rules (MaxStartups, hosts.deny, listen address)",
    );
  if (service !== undefined && speakFirst.has(service))
    return warn(
      "target",
      `${detail} but says nothing`,
      `${service} speaks first: is something else on that port, or is it stuck?`,
    );
  return ok("target", `${detail} and waits for the client to speak`);
}

function adviceFor({ host, port }: Target, error: RdvError): string {
  if (error.code === "timeout")
    return "a firewall drops the connection on the way: let this machine in, or run rdv on that one";
  const elsewhere = listenAddresses(port).filter((address) => address !== host);
  if (elsewhere.length > 0)
    return `port ${port} is open at another address of this machine: expose ${elsewhere.map((address) => hostPort(address, port)).join(" or ")}`;
  return "start the service, or give the port on which it listens (`ss -ltn` shows them)";
}

/** The first bytes that come by themselves, as text that a terminal can show. */
async function listenTo(socket: Socket): Promise<Heard> {
  const { promise, resolve } = Promise.withResolvers<Heard>();
  const timer = setTimeout(() => resolve({ text: "", ended: false }), greetingMs);
  socket.once("data", (chunk: Buffer) => resolve({ text: printable(chunk), ended: false }));
  socket.once("end", () => resolve({ text: "", ended: true }));
  socket.once("close", () => resolve({ text: "", ended: true }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function printable(chunk: Buffer): string {
  const line =
    chunk
      .subarray(0, greetingBytes)
      .toString("latin1")
      .split(/[\r\n]/, 1)[0] ?? "";
  return line.replaceAll(/[^\x20-\x7e]/g, ".") || "something";
}
