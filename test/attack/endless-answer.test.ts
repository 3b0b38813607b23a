import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createApi } from "../../protocol/client.ts";
import { RdvError } from "../../protocol/errors.ts";

test("an answer without end is given up, not kept", async () => {
  let sent = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const piece = Buffer.alloc(1024 * 1024, " ");
    const more = (): void => {
      while (!response.destroyed && response.write(piece)) sent += 1;
    };
    response.on("drain", more).on("error", () => {});
    more();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const api = createApi({ url: `http://127.0.0.1:${port}`, token: "rdv_admin_aaaaaaaaaaaaaaaaaaaa" });
  await assert.rejects(
    api.listSessions(),
    (error) => error instanceof RdvError && /more than \d+ bytes/.test(error.message),
  );
  assert.ok(sent < 100, `${sent} MiB were taken`);
  server.closeAllConnections();
  server.close();
});
