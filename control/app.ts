import { Hono } from "hono";
import type { Context } from "hono";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { adminKeyHash, authenticate, checkAccess, readToken } from "./auth.ts";
import type { Caller } from "./auth.ts";
import { checkOrigin } from "./browser-origin.ts";
import { clientAddress } from "./client-address.ts";
import { unbounded } from "./grants.ts";
import { problemAnswer, securityHeaders } from "./problems.ts";
import { publicRoutes } from "./public-routes.ts";
import { createRateLimits } from "./rate-limit.ts";
import type { RequestKind } from "./rate-limit.ts";
import type { Route } from "./route.ts";
import { controlRoutes } from "./routes.ts";
import type { Services } from "./services.ts";

interface AppDeps extends Services {
  /** Told of every error that is not an answer of its own. */
  readonly onError: (error: unknown, requestId: string) => void;
  /** Whether the host has room for one more WebSocket of an account, the one that `request` asks for; absent where it always has. */
  readonly admit?: (request: Request, account: string) => boolean;
}

/** Who sent a request, as the host knows it. What headers say of it is for the host to judge, and for nobody else. */
export interface Peer {
  readonly address?: string | undefined;
  /** Of the client's own connection; undefined where the host sees another one. */
  readonly port?: number | undefined;
  /** By which the client came; by default the request's URL tells it. */
  readonly origin?: string | undefined;
}

type App = Hono<{ Bindings: Peer }>;
type AppContext = Context<{ Bindings: Peer }>;

/** The control plane's HTTP interface: routes, and problem documents (RFC 9457) for everything that goes wrong. */
export function createApp(deps: AppDeps): App {
  const app: App = new Hono();
  const serve = createServe(deps);
  const routes = controlRoutes(deps);
  app.onError((error, c) => answerError(deps, error, c));
  app.notFound((c) =>
    withRequestId(
      problemAnswer(new RdvError("not_found", `There is no route ${c.req.method} ${c.req.path}`)),
      newRequestId(),
    ),
  );
  const [sockets, others] = [routes.filter(isSocket), routes.filter((route) => !isSocket(route))];
  // Before the middleware: the headers of a 101 answer must not be touched.
  for (const route of sockets) app.on(route.method, route.path, async (c) => await serve(route, c));
  app.use(async (c, next) => {
    await next();
    const defaults = { ...securityHeaders, "x-request-id": newRequestId() };
    for (const [name, value] of Object.entries(defaults))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  for (const route of [...publicRoutes(deps, routes), ...others])
    app.on(route.method, route.path, async (c) => await serve(route, c));
  return app;
}

/** Nobody: what a public route sees of its caller. */
const nobody: Caller = { account: "", key: "", ...unbounded([]) };

/** Serves one request of a route: configuration, token, scope, rate, then the handler. No handler can forget them. */
function createServe(deps: AppDeps): (route: Route, c: AppContext) => Promise<Response> {
  const { env, signer } = deps;
  const rates = createRateLimits(deps.now);

  async function callerOf(route: Route, c: AppContext, address: string): Promise<Caller> {
    const presented = await readToken(env, c.req.header("authorization") ?? null);
    const settle = rates.tryToken(presented, address);
    const caller = await authenticate(env, presented).catch((error: unknown) => {
      settle(error instanceof RdvError ? "wrong" : "unknown");
      throw error;
    });
    settle("right");
    rates.mayAsk(caller, kindOf(route));
    checkAccess(route.access, caller);
    if (isSocket(route) && deps.admit?.(c.req.raw, caller.account) === false) throw noRoom();
    return caller;
  }

  return async (route, c) => {
    const address = clientAddress(c.env);
    const origin = c.env.origin ?? new URL(c.req.url).origin;
    checkOrigin(c.req.raw, origin);
    if (route.path !== "/healthz") {
      adminKeyHash(env);
      signer.jwks();
    }
    const caller = route.access === "public" ? nobody : await callerOf(route, c, address);
    const param = (name: string): string => c.req.param(name) ?? "";
    return await route.handle({ request: c.req.raw, param, caller, address, origin, peer: c.env });
  };
}

function kindOf(route: Route): RequestKind {
  if (isSocket(route)) return "connect";
  return 201 in route.answers ? "create" : "request";
}

function isSocket(route: Route): boolean {
  return 101 in route.answers;
}

function noRoom(): RdvError {
  return new RdvError(
    "too_many",
    "The account has its share of the control plane's connections; end some agents",
    {
      retryAfterMs: limits.backoffCapMs,
    },
  );
}

function answerError(deps: AppDeps, error: Error, c: AppContext): Response {
  const requestId = newRequestId();
  if (error instanceof RdvError) return withRequestId(problemAnswer(error), requestId);
  deps.onError(error, requestId);
  const detail = `The server failed on ${c.req.method} ${c.req.path}; its log has the request id ${requestId}`;
  return withRequestId(problemAnswer(new RdvError("internal", detail, { cause: error })), requestId);
}

function withRequestId(response: Response, requestId: string): Response {
  response.headers.set("x-request-id", requestId);
  return response;
}

function newRequestId(): string {
  return crypto.randomUUID();
}
