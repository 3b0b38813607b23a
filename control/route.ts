import * as z from "zod";
import type { Scope } from "../protocol/keys.ts";
import type { Peer } from "./app.ts";
import type { Caller } from "./auth.ts";
import { readJson, readQuery } from "./body.ts";

/**
 * Who may use a route: each kind needs a key with one of these scopes, for things of the key's own account, or a key of
 * the operator's account. Which sessions a key with `expose` or `connect` may touch is said in grants.ts.
 */
export const opens = {
  /** Serve a session. */
  expose: { scopes: ["expose", "sessions", "admin"], operator: false },
  /** Reach a session. */
  connect: { scopes: ["connect", "sessions", "admin"], operator: false },
  /** Look at a session that one serves or reaches. */
  session: { scopes: ["expose", "connect", "sessions", "admin"], operator: false },
  /** All sessions of the account. */
  sessions: { scopes: ["sessions", "admin"], operator: false },
  /** Join the fleet. */
  relays: { scopes: ["relays", "admin"], operator: true },
  /** The account itself. */
  admin: { scopes: ["admin"], operator: false },
  /** The fleet. */
  fleet: { scopes: ["admin"], operator: true },
} as const satisfies Record<string, { scopes: readonly Scope[]; operator: boolean }>;

/** `any`: every key. */
export type Access = "public" | "any" | keyof typeof opens;

/** What a route answers by status; null is an answer without body. */
type Answers = Readonly<Partial<Record<101 | 200 | 201 | 204, z.ZodType | null>>>;

interface Described {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With Hono's parameters, such as `/v1/sessions/:idOrName`. */
  readonly path: string;
  readonly access: Access;
  /** One sentence for the API document. */
  readonly summary: string;
  readonly answers: Answers;
}

export interface Call {
  readonly request: Request;
  /** A parameter of the path, decoded. */
  readonly param: (name: string) => string;
  readonly caller: Caller;
  /** Address from which the request comes; `unknown` when the host does not say. */
  readonly address: string;
  /** By which the client came, such as `https://rdv.example.org`. */
  readonly origin: string;
  /** The client as its host sees it. */
  readonly peer: Peer;
}

/** One route of the control plane: the app serves it, the API document describes it, a test tries to break into it. */
export interface Route extends Described {
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  /** Called once the caller is known and allowed. */
  readonly handle: (call: Call) => Promise<Response>;
}

interface Spec<Q, B> extends Described {
  readonly query?: z.ZodType<Q>;
  readonly body?: z.ZodType<B>;
  readonly handle: (call: Call & { readonly query: Q; readonly body: B }) => Promise<Response>;
}

/** Makes a route whose query and body are checked before its handler sees them. */
export function defineRoute<Q = undefined, B = undefined>(spec: Spec<Q, B>): Route {
  // Without a schema the type parameter is `undefined`, and so is the value.
  const querySchema = spec.query ?? (z.undefined() as unknown as z.ZodType<Q>);
  const bodySchema = spec.body ?? (z.undefined() as unknown as z.ZodType<B>);
  return {
    ...spec,
    query: spec.query,
    body: spec.body,
    handle: async (call) => {
      const query = spec.query ? readQuery(call.request, spec.query) : querySchema.parse(undefined);
      const body = spec.body ? await readJson(call.request, spec.body) : bodySchema.parse(undefined);
      return await spec.handle({ ...call, query, body });
    },
  };
}
