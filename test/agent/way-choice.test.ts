import assert from "node:assert/strict";
import { test } from "node:test";
import { createWayChoice } from "../../agent/way-choice.ts";
import { limits } from "../../protocol/limits.ts";

test("one blocked half changes nothing, a second one lets a WebSocket be tried", () => {
  const choice = createWayChoice({ preferred: "tcp" });
  assert.equal(choice.next(0), "tcp");
  choice.blocked("tcp");
  assert.equal(choice.next(0), "tcp");
  choice.blocked("tcp");
  assert.equal(choice.next(0), "websocket");
});

test("a half that works forgets the blocked ones before it", () => {
  const choice = createWayChoice({ preferred: "tcp" });
  choice.blocked("tcp");
  choice.worked("tcp", 0);
  choice.blocked("tcp");
  assert.equal(choice.next(0), "tcp");
});

test("while nothing works both ways take turns", () => {
  const choice = createWayChoice({ preferred: "tcp" });
  choice.blocked("tcp");
  choice.blocked("tcp");
  const ways = Array.from({ length: 4 }, () => {
    const way = choice.next(0);
    choice.blocked(way);
    return way;
  });
  assert.deepEqual(ways, ["websocket", "tcp", "websocket", "tcp"]);
});

test("a WebSocket that works is kept, and one half in a while tries to do without", () => {
  const choice = createWayChoice({ preferred: "tcp", patience: 1 });
  choice.blocked("tcp");
  choice.worked("websocket", 1_000);
  assert.equal(choice.next(1_000 + limits.preferredAgainMs - 1), "websocket");
  assert.equal(choice.next(1_000 + limits.preferredAgainMs), "tcp");
  choice.blocked("tcp");
  assert.equal(choice.next(1_000 + limits.preferredAgainMs), "websocket");
  choice.worked("websocket", 2_000 + limits.preferredAgainMs);
  assert.equal(choice.next(1_000 + 2 * limits.preferredAgainMs), "tcp");
  choice.worked("tcp", 0);
  assert.equal(choice.next(0), "tcp");
});

test("it says when another half is worth trying at once: on the turn to the other way, once", () => {
  const choice = createWayChoice({ preferred: "tcp", patience: 1 });
  assert.equal(choice.turns, false);
  choice.blocked("tcp");
  assert.deepEqual([choice.turns, choice.next(0)], [true, "websocket"]);
  choice.blocked("websocket");
  assert.equal(choice.turns, false, "both were blocked");
  choice.worked("websocket", 0);
  assert.equal(choice.turns, false);
  assert.equal(choice.next(limits.preferredAgainMs), "tcp");
  choice.blocked("tcp");
  assert.deepEqual([choice.turns, choice.next(limits.preferredAgainMs)], [true, "websocket"]);
});

test("a WebSocket that stops to work gives way as well", () => {
  const choice = createWayChoice({ preferred: "tcp" });
  choice.blocked("tcp");
  choice.blocked("tcp");
  choice.worked("websocket", 0);
  choice.blocked("websocket");
  choice.blocked("websocket");
  assert.equal(choice.next(0), "tcp");
});

test("where a WebSocket is preferred nothing else is tried while it works", () => {
  const choice = createWayChoice({ preferred: "websocket" });
  choice.worked("websocket", 0);
  assert.equal(choice.next(10 * limits.preferredAgainMs), "websocket");
  choice.blocked("websocket");
  choice.blocked("websocket");
  assert.equal(choice.next(0), "tcp");
  choice.worked("tcp", 0);
  assert.equal(choice.next(limits.preferredAgainMs), "websocket");
});
