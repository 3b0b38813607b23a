import assert from "node:assert/strict";
import { createControlHost } from "../../../embedded/host/control-host.ts";
import { silentLog } from "../../../net/log.ts";
import { createApi } from "../../../protocol/client.ts";
import { RdvError } from "../../../protocol/errors.ts";
import { adminToken, createSecrets } from "../../control/control-under-test.ts";
import { startRelay } from "../../control/peers.ts";
import { attack } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const ports = { from: 20_000, to: 20_099 };
const target = "localhost:22";
const tries = 100;

attack(
  { point: 9, title: "one account asks for every client port of a relay at once", from: import.meta.url },
  async () => {
    await using dir = await createTempDir();
    const env = await createSecrets();
    await using host = await createControlHost({
      host: "127.0.0.1",
      port: 0,
      stateDir: dir.path,
      env,
      log: silentLog,
    });
    await using _relay = await startRelay(host.url, "r_00000001", adminToken, { ports });
    const admin = createApi({ url: host.url, token: adminToken, fetch });
    const apiOf = async (account: string) => {
      const { token } = await admin.createKey({ account, scopes: ["sessions"] });
      return createApi({ url: host.url, token, fetch });
    };
    const greedy = await apiOf("a_greedy");
    const outcomes = await Promise.all(
      Array.from({ length: tries }, async (_, i) =>
        greedy.createSession({ target, name: `greedy-${i}` }).then(
          () => "leased",
          (error: unknown) => (error instanceof RdvError ? error.code : "failed"),
        ),
      ),
    );
    const count = (outcome: string): number => outcomes.filter((each) => each === outcome).length;
    assert.deepEqual([count("leased"), count("full")], [80, 20]);

    for (let i = 0; i < 3; i += 1) {
      const newcomer = await apiOf(`a_newcomer${i}`);
      assert.equal((await newcomer.createSession({ target, name: "mine" })).state, "waiting");
    }
    assert.equal((await greedy.getSession("greedy-0")).state, "waiting", "what is leased stays");
    return { tries, answer: "an account has at most four fifths, and newcomers find a port" };
  },
);
