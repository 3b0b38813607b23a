import assert from "node:assert/strict";
import { join } from "node:path";
import { runOk } from "../fixtures/processes.ts";
import { sameContent, writeRandomFile } from "../fixtures/random-file.ts";
import { requireTool } from "../fixtures/tools.ts";
import type { Scene } from "./scene.ts";

/** Sends a file from the client to the agent's machine and fetches it back, both with scp; all three must be the same. */
export async function copyBothWays(
  { client, sshd, folder }: Scene,
  to: { readonly host: string; readonly port: number },
  bytes: number,
): Promise<void> {
  const [original, remote, returned] = [
    join(folder, "original"),
    join(folder, "remote"),
    join(folder, "returned"),
  ];
  const login = sshd.login(to.host);
  const options = ["-q", ...sshd.options(to.port)];
  await writeRandomFile(original, bytes);
  await runOk(requireTool("scp"), [...options, original, `${login}:${remote}`], client);
  assert.ok(await sameContent(original, remote), "what arrived at the server differs");
  await runOk(requireTool("scp"), [...options, `${login}:${remote}`, returned], client);
  assert.ok(await sameContent(original, returned), "what came back differs");
}
