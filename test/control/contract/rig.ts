import assert from "node:assert/strict";
import type { CreateSession, Session } from "../../../protocol/api.ts";
import { createApi } from "../../../protocol/client.ts";
import type { Api } from "../../../protocol/client.ts";
import { RdvError } from "../../../protocol/errors.ts";
import type { ErrorCode } from "../../../protocol/errors.ts";
import type { LinkSignal, RelaySignal, SessionSignal } from "../../../protocol/signals.ts";
import { until } from "../../fixtures/within.ts";
import { checkedFetch } from "../checked-fetch.ts";
import type { ControlUnderTest } from "../control-under-test.ts";
import { adminToken } from "../control-under-test.ts";
import type { Peer } from "../peers.ts";
import { connectAgent, startRelay } from "../peers.ts";

/** The control plane under test, and what every test needs around it. */
export interface Rig {
  url(): string;
  /** The administrator's client. */
  api(): Api;
  /** A client with another key. */
  apiOf(token: string): Api;
  /** A key of another account, `a_bob`, with the scope `sessions`. */
  bobToken(): string;
  restart(): Promise<void>;
  /** A fresh region with one relay, so that tests do not share ports. */
  newRelay(hello?: Partial<Extract<RelaySignal, { type: "hello" }>>): Promise<TestRelay>;
  agentOf(session: Session): Promise<Peer<SessionSignal>>;
}

interface TestRelay extends AsyncDisposable {
  readonly id: string;
  readonly region: string;
  readonly link: Peer<LinkSignal>;
  /** Creates a session in the relay's region. */
  readonly create: (request?: Partial<CreateSession>) => Promise<Session>;
}

/** How the proxy before a host says who its client is: the tests' own machine in Node, Cloudflare on Workers. */
export function clientHeaders(address: string): Record<string, string> {
  return { "x-forwarded-for": address, "cf-connecting-ip": address };
}

export const target = "localhost:22";
/** What takes longer than this never comes, in milliseconds. */
const patience = 10_000;

export function createRig(control: () => ControlUnderTest, bobToken = (): string => ""): Rig {
  const url = (): string => control().url();
  const apiOf = (token: string): Api => createApi({ url: url(), token, fetch: checkedFetch(url) });
  const api = (): Api => apiOf(adminToken);
  let regions = 0;
  return {
    url,
    api,
    apiOf,
    bobToken,
    restart: async () => await control().restart(),
    newRelay: async (hello = {}) => {
      regions += 1;
      const region = `region-${regions}`;
      const id = `r_${String(regions).padStart(8, "0")}`;
      const link = await startRelay(url(), id, adminToken, { region, ...hello });
      const create = async (request: Partial<CreateSession> = {}): Promise<Session> =>
        await api().createSession({ target, region, name: `${region}-s`, ...request });
      return {
        id,
        region,
        link,
        create,
        [Symbol.asyncDispose]: async () => await link[Symbol.asyncDispose](),
      };
    },
    agentOf: async (session) => await connectAgent(url(), session.id, adminToken),
  };
}

/** Asks until the control plane shows what is expected of it. */
export async function shows<T>(check: () => Promise<T | false | undefined>): Promise<T> {
  return await until(patience, "the control plane shows it", async () => (await check()) || undefined);
}

/** The call is refused with this code. */
export async function refuses(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(call, (error) => error instanceof RdvError && error.code === code);
}
