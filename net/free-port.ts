import { listenTcp } from "./listen.ts";

/** A port that nobody uses now: the system chooses it for a listener that is closed at once. */
export async function freePort(): Promise<number> {
  await using listener = await listenTcp({
    host: "0.0.0.0",
    port: 0,
    onConnection: (socket) => socket.destroy(),
  });
  return listener.port;
}
