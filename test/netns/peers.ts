import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Machine } from "../fixtures/network.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";

const program = fileURLToPath(new URL("peer-process.ts", import.meta.url));

/** What a client of the service saw: how its connection ended, and what came before. */
const Answer = z.object({ how: z.string(), bytes: z.number(), sha256: z.string() });
export type Answer = z.infer<typeof Answer>;

/** Runs a service on a machine that answers late, floods, or resets, as its client says. */
export async function startPeerService(machine: Machine, port: number): Promise<Running> {
  const running = startProcess(process.execPath, [program, "serve", machine.address, String(port)], machine);
  await running.says("serving");
  return running;
}

/** Says `command` to the service at an address, and gives what came back. */
export async function askPeer(machine: Machine, address: string, command: string): Promise<Answer> {
  return readAnswer(await runOk(process.execPath, peerArgs(address, command), machine));
}

/** The same, but it reads nothing before a line comes on its standard input. */
export function startStoppedReader(machine: Machine, address: string, bytes: number): Running {
  const args = peerArgs(address, `flood ${bytes}`);
  return startProcess(process.execPath, args, { ...machine, keepInput: true });
}

export function readAnswer(stdout: string): Answer {
  return Answer.parse(JSON.parse(stdout));
}

/** The answer to `late N` or `flood N` when no byte is missing. */
export function wholeAnswer(bytes: number): Answer {
  const pattern = Buffer.alloc(64 * 1024, "rendezvous ");
  const hash = createHash("sha256");
  for (let left = bytes; left > 0; left -= pattern.length)
    hash.update(pattern.subarray(0, Math.min(left, pattern.length)));
  return { how: "end", bytes, sha256: hash.digest("hex") };
}

function peerArgs(address: string, command: string): string[] {
  const [host = "", port = ""] = address.split(":");
  return [program, "ask", host, port, command];
}
