import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Address, Capacity, Peer, Probe, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { findProgram, probeProgram } from "./program.ts";
import { createTempFolder } from "./temp-folder.ts";
import { startTunnelPrograms } from "./tunnel-programs.ts";

/** ssh walks all its channels at every turn, so thousands of pairs would measure that alone. */
const channels: Capacity = { streams: 100, idlePairs: 1_000, manyConnections: true };

/** `ssh -R` to an sshd of its own on loopback, with keys made for this run. */
export function sshPeer(ports: PortPicker): Peer {
  return {
    name: "ssh -R",
    kinds: ["tunnel"],
    probe,
    start: async (_kind, service) => await start(ports, service),
  };
}

async function probe(): Promise<Probe> {
  for (const program of ["sshd", "ssh-keygen"])
    if (findProgram(program) === undefined)
      return { installed: false, reason: `${program} is not on the PATH` };
  return await probeProgram("ssh", ["-V"], /OpenSSH_(\S+?),? /);
}

async function start(ports: PortPicker, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const [relayPort, clientPort] = [ports.next(), ports.next()];
  const key = await makeKey(join(folder.path, "user"));
  await folder.write("authorized", await readFile(`${key}.pub`, "utf8"));
  const hostKey = await makeKey(join(folder.path, "host"));
  const config = await folder.write(
    "sshd_config",
    serverConfiguration(relayPort, hostKey, join(folder.path, "authorized")),
  );
  /* Debian's sshd wants this folder, which its service unit makes at boot. */
  if (userInfo().uid === 0) await mkdir("/run/sshd", { recursive: true });
  return await startTunnelPrograms({
    relay: [findProgram("sshd") ?? "sshd", "-D", "-e", "-f", config],
    relayPort,
    agent: [
      "ssh",
      ...clientArguments(relayPort, key),
      "-R",
      `127.0.0.1:${clientPort}:${service.host}:${service.port}`,
      "127.0.0.1",
    ],
    clientPort,
    capacity: channels,
    stack: stack.move(),
  });
}

async function makeKey(path: string): Promise<string> {
  await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  return path;
}

function serverConfiguration(port: number, hostKey: string, authorized: string): string {
  return `ListenAddress 127.0.0.1:${port}
HostKey ${hostKey}
AuthorizedKeysFile ${authorized}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
AllowTcpForwarding remote
`;
}

function clientArguments(port: number, key: string): string[] {
  const options = [
    "BatchMode=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "ExitOnForwardFailure=yes",
  ];
  return [
    "-F",
    "none",
    "-N",
    "-p",
    String(port),
    "-i",
    key,
    "-l",
    userInfo().username,
    ...options.flatMap((option) => ["-o", option]),
  ];
}
