import * as z from "zod";
import {
  CreateSession,
  Placement,
  Policy,
  Relay,
  RelayList,
  Session,
  SessionList,
  UpdateSession,
} from "../protocol/api.ts";
import {
  ClientTickets,
  DirectAnswer,
  DirectOffer,
  RequestTickets,
  SeenAddress,
} from "../protocol/connect.ts";
import { Problem } from "../protocol/errors.ts";
import { CreateKey, CreatedKey, Key, KeyList, WhoAmI } from "../protocol/keys.ts";
import { version } from "../protocol/version.ts";
import { opens } from "./route.ts";
import type { Access, Route } from "./route.ts";

/** Schemas with a name of their own in the document. */
const named = {
  ClientTickets,
  CreateKey,
  CreateSession,
  CreatedKey,
  DirectAnswer,
  DirectOffer,
  Key,
  KeyList,
  Placement,
  Policy,
  Problem,
  Relay,
  RelayList,
  RequestTickets,
  SeenAddress,
  Session,
  SessionList,
  UpdateSession,
  WhoAmI,
};

/** What a route needs, in words. */
function accessText(access: Access): string {
  if (access === "public") return "Needs no key.";
  if (access === "any") return "Needs a key, whatever its scopes.";
  const { scopes, operator } = opens[access];
  const names = scopes.map((scope) => `\`${scope}\``).join(", ");
  const where = operator ? " of the operator's account" : "";
  return `Needs a key${where} with one of the scopes ${names}; what belongs to others is not found.`;
}

/** The OpenAPI 3.1 document of these routes (https://spec.openapis.org/oas/v3.1.0), from the schemas that check them. */
export function openApiDocument(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes)
    (paths[documentPath(route.path)] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "rdv control plane",
      version,
      description:
        "Sessions, keys and relays. Errors are problem documents (RFC 9457) whose `code` is from a closed list. " +
        "Every answer has an `x-request-id`. Who asks too often gets 429 with `Retry-After`.",
    },
    components: {
      schemas: namedSchemas(),
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "`rdv_<account>_<secret>`" } },
      responses: {
        Problem: {
          description: "What went wrong and what to do next.",
          headers: {
            "x-request-id": { schema: { type: "string" } },
            "retry-after": { description: "Seconds to wait.", schema: { type: "integer" } },
          },
          content: { "application/problem+json": { schema: reference("Problem") } },
        },
      },
    },
    paths,
  };
}

/** `/v1/sessions/:id` as `/v1/sessions/{id}`. */
export function documentPath(path: string): string {
  return path.replaceAll(/:(\w+)/g, "{$1}");
}

function operation(route: Route): object {
  const { access, summary, body, answers } = route;
  const responses: Record<string, object> = { default: { $ref: "#/components/responses/Problem" } };
  for (const [status, schema] of Object.entries(answers)) responses[status] = answer(status, schema ?? null);
  return {
    summary,
    description: accessText(access),
    security: access === "public" ? [] : [{ token: [] }],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...(body ? { requestBody: { required: true, content: json(body) } } : {}),
    responses,
  };
}

function answer(status: string, schema: z.ZodType | null): object {
  const description = status === "101" ? "The WebSocket is open." : "Done.";
  return schema === null ? { description } : { description, content: json(schema) };
}

function json(schema: z.ZodType): object {
  const name = Object.entries(named).find(([, one]) => one === schema)?.[0];
  return { "application/json": { schema: name === undefined ? plainSchema(schema) : reference(name) } };
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (!(query instanceof z.ZodObject)) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: "input" });
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function reference(name: string): object {
  return { $ref: `#/components/schemas/${name}` };
}

/** The named schemas, which refer to each other by name. */
function namedSchemas(): Record<string, object> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutAddress(schema)]));
}

function plainSchema(schema: z.ZodType): object {
  return withoutAddress(z.toJSONSchema(schema));
}

/** A schema's place and dialect are those of the document. */
function withoutAddress({ $schema: _dialect, $id: _id, ...schema }: Record<string, unknown>): object {
  return schema;
}
