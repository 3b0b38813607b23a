import type { Socket } from "node:net";
import type { Candidate, DirectOutcome, SeenAddress } from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { createDisposalStack } from "../disposal-stack.ts";
import type { DisposalStack } from "../disposal-stack.ts";
import { freePort } from "../free-port.ts";
import { listenTcp } from "../listen.ts";
import type { TcpListener } from "../listen.ts";
import { askAddress } from "./ask-address.ts";
import type { AskPlace } from "./ask-address.ts";
import { createOwnCheck, isDialable, localAddresses } from "./local-addresses.ts";
import { mappedCandidates, mappingOf } from "./mapping.ts";
import type { Mapping } from "./mapping.ts";
import { punch } from "./punch.ts";
import type { Closable, Punch, PunchOptions } from "./punch.ts";

interface MeetingOptions {
  /** Who is asked for the outside ports: the first for both, the second to learn whether they are always the same. */
  readonly places: readonly AskPlace[];
  readonly signal: AbortSignal;
  readonly random?: () => number;
  /** A place has this long to say how it sees a port. Default `defaultAskMs`. */
  readonly askMs?: number;
  /** Addresses of this very machine count too, for tests. */
  readonly loopback?: boolean;
}

type MeetOptions<Proven extends Closable> = Pick<
  PunchOptions<Proven>,
  "chooses" | "prove" | "onMet" | "signal"
> & { readonly targets: readonly Candidate[]; readonly timeoutMs?: number };

/**
 * Two local ports on which another machine can be met once: from one this side dials, on the other it listens.
 * Disposing closes what is left of it, connections that were met excepted.
 */
export interface Meeting extends AsyncDisposable {
  /** What the NAT makes of the port that dials. */
  readonly mapping: Mapping["type"];
  /** Where the other side can dial this one; at most `limits.candidates`. */
  readonly candidates: readonly Candidate[];
  /** Dials and accepts until the other side is met; see `PunchOptions`. Once a meeting. */
  meet<Proven extends Closable>(options: MeetOptions<Proven>): Promise<DirectOutcome>;
}

/** So that an agent's answer comes within `limits.directAnswerMs`. */
const defaultAskMs = limits.directAnswerMs * 0.6;
/** When one place has answered, the other has at least this much longer. */
const leastPatienceMs = 100;
/** Connections that the listener takes, of whoever finds it. */
const mostAccepted = 16;

/** Finds the two ports and how they are seen. Throws `failed` when this machine gives none, or the reason of `signal`. */
export async function openMeeting(options: MeetingOptions): Promise<Meeting> {
  const { signal, random = Math.random, loopback = false } = options;
  await using held = createDisposalStack();
  const [dialPort, listenPort] = await Promise.all([freePort(), freePort()]);
  const [dialled, listened] = await Promise.all([
    askAll(options.places.slice(0, 2), dialPort, held, options),
    // The outside port of the listener: only before it listens can something be dialled from its port.
    askAll(options.places.slice(0, 1), listenPort, held, options),
  ]);
  signal.throwIfAborted();

  let current: Punch | undefined;
  const waiting: Socket[] = [];
  const onConnection = (socket: Socket): void => {
    if (current) current.accept(socket);
    else waiting.push(socket);
  };
  const listener = await listen(listenPort, onConnection);
  if (listener) held.use(listener);
  held.defer(() => waiting.forEach((socket) => socket.destroy()));

  const own = localAddresses({ loopback });
  const mapping = mappingOf(notOwn(dialled, own.ipv4));
  const stack = held.move();
  return {
    mapping: mapping.type,
    candidates: candidatesOf(),
    async meet({ targets, timeoutMs = limits.directDialMs, ...rest }) {
      const dialable = othersOf(targets, [...dialled, ...listened], loopback);
      current = punch({ ...rest, targets: dialable, timeoutMs, random, localPort: dialPort });
      for (const socket of waiting.splice(0)) current.accept(socket);
      return await current.done;
    },
    [Symbol.asyncDispose]: async () => await stack[Symbol.asyncDispose](),
  };

  function candidatesOf(): Candidate[] {
    const mapped = [...mappedCandidates(mapping), ...mappedListener()];
    const host6 = own.ipv6
      .slice(0, 3)
      .flatMap((address) => [...at(address, listenPort), ...at(address, dialPort)]);
    const host4 = own.ipv4.flatMap((address) => at(address, listenPort));
    return [...mapped, ...host6, ...host4].slice(0, limits.candidates);
  }

  function mappedListener(): Candidate[] {
    const [outside] = notOwn(listened, own.ipv4);
    return listener && outside && mapping.type === "independent"
      ? [{ kind: "mapped", ...outside, listens: true }]
      : [];
  }

  function at(address: string, port: number): Candidate[] {
    const listens = port === listenPort;
    return listens && !listener ? [] : [{ kind: "host", address, port, listens }];
  }
}

/**
 * How the places that answer see a port. Their connections stay open, because they keep the mapping. When one has
 * answered, the other has twice as long: a place that is cut off must not delay every attempt.
 */
async function askAll(
  places: readonly AskPlace[],
  port: number,
  held: DisposalStack,
  { signal, askMs = defaultAskMs, loopback = false }: MeetingOptions,
): Promise<SeenAddress[]> {
  const startedAt = performance.now();
  const enough = new AbortController();
  const until = { signal: AbortSignal.any([signal, enough.signal]), timeoutMs: askMs };
  let timer: NodeJS.Timeout | undefined;
  const ask = async (place: AskPlace): Promise<SeenAddress> => {
    const asked = held.use(await askAddress(place, port, until));
    timer ??= setTimeout(
      () => enough.abort(),
      Math.max(leastPatienceMs, 2 * (performance.now() - startedAt)),
    );
    return asked.seen;
  };
  const answers = await Promise.allSettled(places.map(ask));
  clearTimeout(timer);
  return answers
    .flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []))
    .filter(({ address }) => isDialable(address, loopback));
}

/**
 * What may be dialled for somebody else: no address of this machine, and not the very ports by which its NAT leads back
 * to it. Other ports of that outside address may be a neighbour's.
 */
function othersOf(
  targets: readonly Candidate[],
  outside: readonly SeenAddress[],
  loopback: boolean,
): readonly Candidate[] {
  const isOwn = loopback ? () => false : createOwnCheck();
  return targets.filter(
    ({ address, port }) =>
      isDialable(address, loopback) &&
      !isOwn(address) &&
      !outside.some((seen) => seen.address === address && seen.port === port),
  );
}

/** A place of the local network sees an address that no NAT has touched: it says nothing about the mapping. */
function notOwn(seen: readonly SeenAddress[], own: readonly string[]): readonly SeenAddress[] {
  const others = seen.filter(({ address }) => !own.includes(address));
  return others.length > 0 ? others : seen;
}

/** A listener for both families, or for IPv4 where there is no IPv6; undefined when the port is gone meanwhile. */
async function listen(
  port: number,
  onConnection: (socket: Socket) => void,
): Promise<TcpListener | undefined> {
  for (const host of ["::", "0.0.0.0"])
    try {
      return await listenTcp({
        host,
        port,
        backlog: mostAccepted,
        maxConnections: mostAccepted,
        onConnection,
      });
    } catch (error) {
      if (!(error instanceof RdvError)) throw error;
    }
  return undefined;
}
