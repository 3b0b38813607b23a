import type { Socket } from "node:net";
import { createServer } from "node:tls";
import { refuseTruncation } from "../net/tls/truncation.ts";
import type { Identity } from "../net/tls/certificate.ts";

interface TlsDoorOptions {
  readonly identity: Identity;
  /** From accept to the end of the TLS handshake, or to the first byte of who comes plain. */
  readonly handshakeMs: number;
  /** Whether a TLS handshake with this address may begin now; if not, the connection is reset. */
  readonly mayBegin: (address: string) => boolean;
  /** Takes the connection that came as `outer`: the TLS stream, or that very socket, with nothing read from it. */
  readonly serve: (socket: Socket, outer: Socket) => void;
}

/** Where a port's connections come in that may be TLS or not. */
interface TlsDoor extends Disposable {
  enter(socket: Socket): void;
}

/** First byte of a TLS stream: a handshake record (RFC 8446 section 5.1). No HTTP request begins with it. */
const handshakeRecord = 0x16;

/**
 * Tells TLS from plain connections by their first byte. Who sends none, may not begin a handshake, or does not finish it
 * in time, is reset; how much a handshake may send is OpenSSL's bound.
 */
export function createTlsDoor({ identity, handshakeMs, mayBegin, serve }: TlsDoorOptions): TlsDoor {
  const entering = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();
  const server = createServer({ key: identity.key, cert: identity.cert, minVersion: "TLSv1.3" });
  server.on("tlsClientError", (_error, secure) => secure.destroy());
  server.on("secureConnection", (secure) => {
    // Once more beyond the one of the TCP socket: an error here has no listener yet.
    secure.on("error", ignore);
    refuseTruncation(secure);
    const outer = entering.get(placeOf(secure))?.socket ?? secure;
    entered(placeOf(secure));
    // Its tickets for resumed sessions go out first: Node forgets the end of a stream that comes while they do.
    setImmediate(() => secure.destroyed || serve(secure, outer));
  });

  function entered(place: string): void {
    clearTimeout(entering.get(place)?.timer);
    entering.delete(place);
  }

  function firstBytes(socket: Socket, chunk: Buffer): void {
    socket.pause();
    socket.unshift(chunk);
    if (chunk[0] === handshakeRecord) return beginTls(socket);
    entered(placeOf(socket));
    serve(socket, socket);
    // After all listeners are there.
    process.nextTick(() => socket.resume());
  }

  function beginTls(socket: Socket): void {
    if (mayBegin(socket.remoteAddress ?? "")) server.emit("connection", socket);
    else socket.resetAndDestroy();
  }

  return {
    enter(socket) {
      const place = placeOf(socket);
      const reset = (): void => void (entering.get(place)?.socket === socket && socket.resetAndDestroy());
      // What came while this process was held up is read first.
      const timer = setTimeout(() => setImmediate(reset), handshakeMs);
      entering.set(place, { socket, timer });
      socket.once("close", () => entering.get(place)?.socket === socket && entered(place));
      const onData = (chunk: Buffer): void => {
        socket.off("end", onEnd);
        firstBytes(socket, chunk);
      };
      const onEnd = (): void => void socket.destroy();
      socket.once("data", onData).once("end", onEnd);
    },
    [Symbol.dispose]() {
      for (const { socket } of entering.values()) socket.destroy();
    },
  };
}

/** What a TLS stream and the socket below have in common: both ends of the connection. */
function placeOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress}/${remotePort}/${localAddress}`;
}

function ignore(): void {}
