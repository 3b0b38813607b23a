import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { runOk } from "../fixtures/processes.ts";
import { startPostgres } from "../fixtures/postgres.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

test(
  "real PostgreSQL through rdv",
  { skip: skipWithout("postgres", "initdb", "psql", "setpriv") },
  async (t) => {
    await using database = await startPostgres();
    await using up = await startUp();
    await using session = await expose(up.place, database.port);
    const psql = async (port: number, ...commands: readonly string[]): Promise<string> =>
      await runOk(requireTool("psql"), [
        ...database.options(port),
        ...commands.flatMap((command) => ["-c", command]),
      ]);

    await t.test("a query is answered", async () => {
      assert.equal(await psql(session.port, "select 6 * 7"), "42\n");
    });

    await t.test("some megabytes go out and in with COPY and are the same", async () => {
      await using folder = await createTempDir();
      const file = join(folder.path, "rows");
      const digest = (table: string): string =>
        `select count(*), md5(string_agg(id || v, ',' order by id)) from ${table}`;
      await psql(
        session.port,
        "create table sent as select id, md5(id::text) || repeat('x', id % 50) as v from generate_series(1, 150000) id",
        "create table returned (like sent)",
        `\\copy sent to ${file}`,
        `\\copy returned from ${file}`,
      );
      assert.equal(await psql(session.port, digest("returned")), await psql(database.port, digest("sent")));
    });
  },
);
