import assert from "node:assert/strict";
import * as z from "zod";
import { documentPath } from "../../control/openapi.ts";

/** The part of an OpenAPI document that tests look at. */
export const Document = z.looseObject({
  openapi: z.literal("3.1.0"),
  components: z.looseObject({ schemas: z.record(z.string(), z.looseObject({})) }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        summary: z.string(),
        security: z.array(z.looseObject({})),
        responses: z.record(z.string(), z.looseObject({ content: z.looseObject({}).optional() })),
      }),
    ),
  ),
});
type Document = z.infer<typeof Document>;

/** A `fetch` that checks every answer of a control plane against the document that it serves itself. */
export function checkedFetch(url: () => string): typeof fetch {
  let document: Promise<Document> | undefined;
  return async (input, init) => {
    document ??= readDocument(url());
    const response = await fetch(input, init);
    assert.ok(input instanceof URL, "the client asks by URL");
    checkAnswer(
      await document,
      init?.method ?? "GET",
      input.pathname,
      response.status,
      await response.clone().text(),
    );
    return response;
  };
}

export async function readDocument(url: string): Promise<Document> {
  return Document.parse(await (await fetch(`${url}/openapi.json`)).json());
}

/** Fails when the document does not describe this answer. */
export function checkAnswer(
  document: Document,
  method: string,
  path: string,
  status: number,
  text: string,
): void {
  const what = `${method} ${path} ${status}`;
  const operation = Object.entries(document.paths)
    .filter(([template]) => matches(template, path))
    .sort(([a], [b]) => a.split("{").length - b.split("{").length)
    .map(([, methods]) => methods[method.toLowerCase()])
    .find((found) => found !== undefined);
  // Routes that do not exist are answered with a problem too.
  const responses = operation?.responses ?? { default: { $ref: "#/components/responses/Problem" } };
  const described = status < 400 ? responses[String(status)] : responses["default"];
  assert.ok(described, `${what} is not in the document`);
  if (status >= 400)
    return void schemaOf(document, { $ref: "#/components/schemas/Problem" }).parse(JSON.parse(text));
  const content = z
    .object({ schema: z.looseObject({}) })
    .optional()
    .parse(described.content?.["application/json"]);
  if (!content) return assert.equal(text, "", `${what} has a body that the document does not know`);
  schemaOf(document, content.schema).parse(JSON.parse(text), { reportInput: true });
}

/** Whether a path is one of the template's: `/v1/keys/k_1` is one of `/v1/keys/{id}`. */
function matches(template: string, path: string): boolean {
  const pattern = documentPath(template)
    .replaceAll(".", String.raw`\.`)
    .replaceAll(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${pattern}$`).test(path);
}

/** The document's schema as a checker; its references become local definitions. */
function schemaOf(document: Document, schema: object): z.ZodType {
  const local = JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll(
    "#/components/schemas/",
    "#/$defs/",
  );
  return z.fromJSONSchema(JSON.parse(local) as Parameters<typeof z.fromJSONSchema>[0]); // it was JSON just now
}
