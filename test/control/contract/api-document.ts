import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { documentPath } from "../../../control/openapi.ts";
import { readDocument } from "../checked-fetch.ts";
import { allRoutes, servedRoutes } from "../route-table.ts";
import type { Rig } from "./rig.ts";

/** The document that describes the API. Every answer that the other tests get is checked against it. */
export function describeApiDocument(rig: Rig): void {
  describe("API document", () => {
    test("it has every route of the app and no other", async () => {
      const document = await readDocument(rig.url());
      const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
      const served = servedRoutes().map(({ method, path }) => `${method} ${documentPath(path)}`);
      assert.deepEqual(documented.sort(), served.sort());
      assert.ok(served.includes("PATCH /v1/sessions/{idOrName}"));
    });

    test("it says who may use a route, and that everything else is a problem document", async () => {
      const document = await readDocument(rig.url());
      for (const { method, path, access } of allRoutes()) {
        const operation = document.paths[documentPath(path)]?.[method.toLowerCase()];
        assert.ok(operation, path);
        assert.equal(operation.security.length, access === "public" ? 0 : 1, path);
        assert.ok(operation.responses["default"], path);
        assert.match(operation.summary, /\.$/, path);
      }
      for (const name of ["Session", "Problem", "CreatedKey"])
        assert.ok(document.components.schemas[name], name);
      const text = JSON.stringify(document);
      for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
        assert.ok(document.components.schemas[name], `${name} is referred to and there`);
    });
  });
}
