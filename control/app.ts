import { Hono } from "hono";
import type { Context } from "hono";
import { RdvError } from "../protocol/errors.ts";
import { adminKeyHash } from "./auth.ts";
import { problemAnswer, securityHeaders } from "./problems.ts";
import type { Services } from "./services.ts";
import { addSessionRoutes } from "./session-routes.ts";
import { addRelayRoutes } from "./relay-routes.ts";
import { addSocketRoutes } from "./socket-routes.ts";

interface AppDeps extends Services {
  /** Told of every error that is not an answer of its own. */
  readonly onError: (error: unknown, requestId: string) => void;
}

/** The control plane's HTTP interface: routes, and problem documents (RFC 9457) for everything that goes wrong. */
export function createApp(deps: AppDeps): Hono {
  const app = new Hono();
  app.onError((error, c) => answerError(deps, error, c));
  app.notFound((c) =>
    withRequestId(
      problemAnswer(new RdvError("not_found", `There is no route ${c.req.method} ${c.req.path}`)),
      newRequestId(),
    ),
  );
  // Before the middleware: the headers of a 101 answer must not be touched.
  addSocketRoutes(app, deps);
  app.use(async (c, next) => {
    await next();
    const defaults = { ...securityHeaders, "x-request-id": newRequestId() };
    for (const [name, value] of Object.entries(defaults))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.use(async (_c, next) => {
    adminKeyHash(deps.env);
    deps.signer.jwks();
    await next();
  });
  for (const path of ["/v1/jwks", "/.well-known/jwks.json"]) app.get(path, (c) => c.json(deps.signer.jwks()));
  addSessionRoutes(app, deps);
  addRelayRoutes(app, deps);
  return app;
}

function answerError(deps: AppDeps, error: Error, c: Context): Response {
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
