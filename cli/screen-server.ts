import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisposalStack } from "../net/disposal-stack.ts";
import { RdvError } from "../protocol/errors.ts";
import { randomSymbols } from "../protocol/invitations.ts";

/** A VNC server that shows this machine's screen for as long as it is held. */
export interface ScreenServer extends AsyncDisposable {
  /** What a viewer has to type: made for this run, and as long as VNC takes notice of. */
  readonly password: string;
}

export interface ScreenServerOptions {
  /** It listens there, on loopback alone. */
  readonly port: number;
  /** Names the screen (`DISPLAY`, `XAUTHORITY`). */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** The server ended by itself. */
  readonly onEnded: (reason: string) => void;
}

/** VNC takes notice of no more (RFC 6143 section 7.2.2). */
const passwordSymbols = 8;

/**
 * Starts x11vnc(1) and waits until it listens. The password is never on a command line: it stands in a file for this
 * user alone, until the server has read it. Throws `unsupported` without x11vnc or screen, `failed` when it does not start.
 */
export async function startScreenServer(options: ScreenServerOptions): Promise<ScreenServer> {
  const { port, env, signal, onEnded } = options;
  if (!env["DISPLAY"])
    throw new RdvError(
      "unsupported",
      "no screen to share: DISPLAY is not set; run this on the desktop itself",
    );
  await using held = createDisposalStack();
  const folder = await mkdtemp(join(tmpdir(), "rdv-"));
  held.defer(async () => await rm(folder, { recursive: true, force: true }));
  const password = randomSymbols(passwordSymbols, (bytes) => crypto.getRandomValues(bytes)).toLowerCase();
  const file = join(folder, "password");
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  const server = held.use(spawnServer(serverArguments(port, file), env));
  await server.listens(signal);
  let disposed = false;
  void server.ended.then((reason) => {
    if (!disposed) onEnded(reason);
  });
  const stack = held.move();
  return {
    password,
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      await stack[Symbol.asyncDispose]();
    },
  };
}

/** Every configuration and remote control of the user's own is left out. */
function serverArguments(port: number, passwordFile: string): string[] {
  const access = [
    "-localhost",
    "-no6",
    "-noipv6",
    "-rfbport",
    String(port),
    "-passwdfile",
    `rm:${passwordFile}`,
  ];
  return [...access, "-forever", "-quiet", "-norc", "-noremote", "-nolookup"];
}

/** In the shell's words: fail without the program, and let it die with this process where the system can do that. */
const launch =
  'command -v "$1" >/dev/null || exit 127; ' +
  'command -v setpriv >/dev/null && exec setpriv --pdeathsig KILL "$@"; exec "$@"';
/** Milliseconds until it must listen, and until it must have ended. */
const startMs = 15_000;
const stopMs = 3_000;

interface Server extends AsyncDisposable {
  /** Resolves when it listens, which it says with `PORT=`. */
  listens(signal: AbortSignal): Promise<void>;
  /** What it said last, when it has ended. */
  readonly ended: Promise<string>;
}

function spawnServer(args: readonly string[], env: ScreenServerOptions["env"]): Server {
  const child = spawn("/bin/sh", ["-c", launch, "sh", "x11vnc", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env },
    detached: true, // Ctrl-C at the terminal is for the command, which ends the server in its turn.
  });
  const listening = Promise.withResolvers<void>();
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    if (text.includes("PORT=")) listening.resolve();
  });
  child.stderr.setEncoding("latin1").on("data", (text: string) => (said = (said + text).slice(-saidMost)));
  const exited = once(child, "close");
  const ended = exited.then(
    ([code]) => (code === 127 ? missing : complaint(said)),
    (error: unknown) => String(error),
  );
  return {
    ended,
    async listens(signal) {
      const failed = ended.then((reason) => {
        throw reason === missing
          ? new RdvError("unsupported", "x11vnc is not here: install it, or start a VNC server by hand")
          : new RdvError("failed", `x11vnc does not show the screen: ${reason}`);
      });
      failed.catch(() => {}); // It ends some day anyway.
      const late = once(AbortSignal.any([signal, AbortSignal.timeout(startMs)]), "abort").then(() => {
        signal.throwIfAborted();
        throw new RdvError("timeout", "x11vnc does not listen; start a VNC server by hand");
      });
      late.catch(() => {}); // It may have listened by then.
      await Promise.race([listening.promise, failed, late]);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

const missing = "x11vnc is missing";
/** How much of what it says is kept, in characters: its advice is long. */
const saidMost = 16_000;

/** The line that tells the reason, without time and ornaments. */
function complaint(said: string): string {
  const lines = said.trim().split("\n");
  const line = lines.find((each) => /error|fail|unable/i.test(each)) ?? lines.at(-1) ?? "";
  return line.replace(/^[\d/: ]*[* ]*/, "").trim();
}
