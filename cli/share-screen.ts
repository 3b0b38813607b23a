import { isListening } from "../agent/listening.ts";
import type { Target } from "../agent/target.ts";
import { RdvError } from "../protocol/errors.ts";
import { withoutSecrets } from "./child-environment.ts";
import type { Output } from "./output.ts";
import type { Runtime } from "./runtime.ts";
import { startScreenServer } from "./screen-server.ts";
import type { ScreenServer } from "./screen-server.ts";

/** Whether a server has to be started for the invitation's service; throws `usage` where `--with-server` makes no sense. */
export async function needsServer(
  wanted: boolean,
  service: string | null,
  target: Target,
  { env }: Runtime,
  { say }: Output,
): Promise<boolean> {
  const isScreen = service === "vnc" || target.service === "vnc";
  const answers = isScreen ? await isListening(target) : undefined;
  if (!wanted) {
    if (answers === false && env["DISPLAY"])
      say([`  Nothing answers at ${target.label}; --with-server shares this screen.`]);
    return false;
  }
  if (!isScreen) throw new RdvError("usage", `--with-server is for vnc, and they ask for ${target.label}`);
  if (!servedHosts.test(target.host))
    throw new RdvError("usage", `--with-server shares this screen, and ${target.label} is another machine's`);
  if (answers === true) say([`  A server answers at ${target.label} already; it is used as it is.`]);
  return answers !== true;
}

/** Starts the server and shows its password to whoever sits here, and to nobody else. */
export async function shareScreen(
  { port }: Target,
  { env, signal }: Runtime,
  { log, say }: Output,
): Promise<ScreenServer> {
  const onEnded = (reason: string): void => log.warn("this screen is not shared any more", { reason });
  const screen = await startScreenServer({ port, env: withoutSecrets(env), signal, onEnded });
  say([
    "",
    `  To see this screen they need the password   ${screen.password}`,
    "  Read it out to them. It is new, and worth nothing when this is over.",
    "",
  ]);
  return screen;
}

/** Where the server listens. */
const servedHosts = /^(localhost|127\.0\.0\.1)$/;
