import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { pinTarget, pinnedLabel } from "../../../agent/pinned-target.ts";
import { createTargetDial } from "../../../agent/target-dial.ts";
import { parseTarget } from "../../../agent/target.ts";
import { targetKind } from "../../../protocol/target-kind.ts";
import { CreateInvitation } from "../../../protocol/invitations.ts";
import { attack } from "../../fixtures/attack.ts";
import { runRdv } from "../../fixtures/rdv.ts";
import { startEcho } from "../../fixtures/services.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { startLyingControl } from "./lying-control.ts";

const disguised = [
  ..."2130706433:22 0x7f000001:22 0x7f.1:22 017700000001:22 127.1:22 0177.0.0.1:22 127.0.0.01:22".split(" "),
  ..."127.0.0.0x1:22 localhost.:22 127.0.0.1.:22 2852039166:80 0xa9fea9fe:80 169.254.43518:80".split(" "),
  ..."-lcsh:22 a..b:22 $(id):22 a`id`:22 a;id:22".split(" "),
];

attack(
  {
    point: 14,
    title:
      "an invitation's target is written in decimal, octal, hex or with a dot, so that it does not look like what it is",
    from: import.meta.url,
  },
  async () => {
    for (const target of disguised) {
      assert.throws(() => parseTarget(target), { code: "usage" }, target);
      assert.ok(!CreateInvitation.safeParse({ target, inviter: "ann" }).success, target);
    }
    const canonical = [
      ["[::ffff:127.0.0.1]:22", "127.0.0.1:22"],
      ["[::ffff:a9fe:a9fe]:80", "169.254.169.254:80"],
      ["[0:0:0:0:0:0:0:1]:22", "[::1]:22"],
    ] as const;
    for (const [written, shown] of canonical) {
      assert.equal(parseTarget(written).label, shown);
      assert.ok(!CreateInvitation.safeParse({ target: written, inviter: "ann" }).success, written);
    }
    return {
      tries: 2 * (disguised.length + canonical.length),
      answer: "refused, or shown in its one spelling",
    };
  },
);

const delicate = [
  "169.254.169.254",
  "169.254.1.1",
  "fe80::1",
  "fe80::1%lo",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::169.254.169.254",
  "2002:a9fe:a9fe::1",
  "::169.254.169.254",
  "fd00:ec2::254",
  "fd00:0ec2:0::0254",
  "fd20:ce::254",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
];

attack(
  {
    point: 14,
    title: "an invitation asks for a cloud's metadata service or a link-local address, in whatever spelling",
    from: import.meta.url,
    options: { timeout: 120_000 },
  },
  async () => {
    for (const address of delicate) assert.match(targetKind(address), /^(link-local|metadata)$/, address);
    for (const address of ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.2", "203.0.113.1", "2001:db8::1"])
      assert.equal(targetKind(address), "plain", address);
    const asked: string[] = [];
    const details = {
      inviter: "ann",
      target: "169.254.169.254:80",
      service: null,
      address: "192.0.2.1:20000",
      session: "help",
      allow: [],
      expires: "2099-01-01T00:00:00.000Z",
    };
    await using control = await startLyingControl((method, path) => {
      asked.push(`${method} ${path}`);
      return { body: details };
    });
    await using folder = await createTempDir();
    const join = ["join", `${control.url}/j/00000-00000`, "--yes"];
    const refused = await runRdv(join, { stateDir: folder.path });
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /--allow-target-kind metadata/);
    const other = await runRdv([...join, "--allow-target-kind", "link-local"], { stateDir: folder.path });
    assert.equal(other.code, 1, "another kind's word is not enough");
    assert.deepEqual([...new Set(asked)], ["GET /j/00000-00000"], "nothing was claimed");
    return { tries: delicate.length + 2, answer: "--yes is not enough: the helped person says it in full" };
  },
);

attack(
  {
    point: 14,
    title: "a target's name means another machine after the consent",
    from: import.meta.url,
  },
  async () => {
    const pinned = await pinTarget(parseTarget("localhost:22"));
    const known = (await lookup("localhost", { all: true })).map(({ address }) => address);
    assert.deepEqual(pinned.addresses, [...new Set(known)]);
    assert.equal(pinnedLabel(pinned), `localhost:22 (${pinned.addresses.join(", ")})`);
    await using echo = await startEcho();
    const watch = { answered: () => {}, refused: (error: Error) => assert.fail(error) };
    const moved = { ...pinned, host: "moved.invalid", port: echo.port, addresses: ["127.0.0.1"] };
    const socket = await createTargetDial(moved, watch)(AbortSignal.timeout(20_000));
    assert.equal(socket?.remoteAddress, "127.0.0.1");
    socket.destroy();
    return {
      tries: 2,
      answer: "the name is looked up once, shown with its addresses, and these are dialled",
    };
  },
);
