import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { test } from "node:test";
import { createApi } from "../../protocol/client.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { RdvError, toProblem } from "../../protocol/errors.ts";

interface TestServer extends AsyncDisposable {
  readonly url: string;
}

async function listen(server: Server): Promise<TestServer> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP listener's address is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  };
}

async function serve(answer: RequestListener): Promise<TestServer> {
  return await listen(createServer({ keepAlive: false }, answer));
}

async function failure(
  call: Promise<unknown>,
): Promise<{ code: ErrorCode; message: string; retryAfterMs: number | undefined }> {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof RdvError, String(error));
  assert.ok(!error.message.includes("\n"), "one line");
  return error;
}

test("requests carry the token and JSON, and names are escaped in the path", async () => {
  const seen: string[] = [];
  await using server = await serve((request, response) => {
    seen.push(
      `${request.method} ${request.url} ${request.headers.authorization} ${request.headers["content-type"] ?? "-"}`,
    );
    response.writeHead(204).end();
  });
  await createApi({ url: `${server.url}/under/`, token: "rdv_a_b" }).endSession("a/b?c");
  assert.deepEqual(seen, ["DELETE /under/v1/sessions/a%2Fb%3Fc Bearer rdv_a_b -"]);
});

test("a problem document becomes its error, with the time to wait", async () => {
  const error = new RdvError("no_relay", "No relay is connected");
  await using server = await serve((_request, response) => {
    response
      .writeHead(503, { "content-type": "application/problem+json", "retry-after": "7" })
      .end(JSON.stringify(toProblem(error)));
  });
  const { code, message, retryAfterMs } = await failure(createApi({ url: server.url }).health());
  assert.deepEqual([code, message, retryAfterMs], ["no_relay", "No relay is connected", 7_000]);
});

test("nobody at the address is unreachable, and the message names the address", async () => {
  const server = await serve(() => {});
  await server[Symbol.asyncDispose]();
  const { code, message } = await failure(createApi({ url: server.url }).health());
  assert.equal(code, "unreachable");
  assert.ok(
    message.includes(server.url) && message.includes("ECONNREFUSED") && message.includes("--control"),
    message,
  );
});

for (const [what, status, type, body, expected] of [
  ["a web page", 200, "text/html", "<html>hello</html>", "failed"],
  ["a web server's 404", 404, "text/html", "<html>404</html>", "failed"],
  ["a proxy without backend", 502, "text/html", "<html>bad gateway</html>", "unreachable"],
  ["JSON of something else", 200, "application/json", '{"version":"7.1"}', "failed"],
  ["another API's error", 401, "application/json", '{"error":"nope"}', "failed"],
] as const)
  test(`${what} is told apart from a control plane`, async () => {
    await using server = await serve(
      (_request, response) => void response.writeHead(status, { "content-type": type }).end(body),
    );
    const { code, message } = await failure(createApi({ url: server.url }).listSessions());
    assert.equal(code, expected);
    assert.ok(
      message.includes(server.url) && message.includes(String(status)) && message.includes(type),
      message,
    );
  });

test("a server that speaks no HTTP is unreachable", async () => {
  await using server = await listen(
    createTcpServer((socket) => void socket.resume().end("SSH-2.0-OpenSSH_9.2\r\n")),
  );
  assert.equal((await failure(createApi({ url: server.url }).health())).code, "unreachable");
});

test("a list is followed to its last page", async () => {
  const key = (id: string) => ({
    id: `k_${id.repeat(26)}`,
    account: "a_team",
    label: "",
    scopes: ["sessions"],
    createdAt: "2026-01-02T03:04:05.678Z",
    expiresAt: null,
  });
  const asked: string[] = [];
  await using server = await serve((request, response) => {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    asked.push(`${query.get("account")} ${query.get("cursor")}`);
    const page = query.has("cursor") ? { keys: [key("b")] } : { keys: [key("a")], next: key("a").id };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(page));
  });
  const keys = await createApi({ url: server.url, token: "t" }).listKeys("a_team");
  assert.deepEqual(
    keys.map(({ id }) => id),
    [key("a").id, key("b").id],
  );
  assert.deepEqual(asked, ["a_team null", `a_team ${key("a").id}`]);
});

test("a redirect is not followed: the token would go with it", async () => {
  await using server = await serve(
    (_request, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
  );
  assert.equal((await failure(createApi({ url: server.url, token: "t" }).health())).code, "unreachable");
});

test("an aborted signal ends a request with its own reason", async () => {
  await using server = await serve(() => {});
  const controller = new AbortController();
  const call = createApi({ url: server.url, signal: controller.signal }).health();
  const reason = new Error("the user said stop");
  controller.abort(reason);
  await assert.rejects(call, reason);
});

test("an address that is no URL is a usage error", () => {
  for (const url of ["127.0.0.1:8787", "ftp://host/", ""])
    assert.throws(() => createApi({ url }), { code: "usage" });
});
