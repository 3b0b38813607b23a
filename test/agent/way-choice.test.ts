import assert from "node:assert/strict";
import { test } from "node:test";
import { createWayChoice } from "../../agent/way-choice.ts";
import { limits } from "../../protocol/limits.ts";

test("one blocked half changes nothing, a second one lets a WebSocket be tried", () => {
  const choice = createWayChoice();
  assert.equal(choice.next(0), "tcp");
  choice.blocked("tcp");
  assert.equal(choice.next(0), "tcp");
  choice.blocked("tcp");
  assert.equal(choice.next(0), "websocket");
});

test("a half that works forgets the blocked ones before it", () => {
  const choice = createWayChoice();
  choice.blocked("tcp");
  choice.worked("tcp", 0);
  choice.blocked("tcp");
  assert.equal(choice.next(0), "tcp");
});

test("while nothing works both ways take turns", () => {
  const choice = createWayChoice();
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
  const choice = createWayChoice(1);
  choice.blocked("tcp");
  choice.worked("websocket", 1_000);
  assert.equal(choice.next(1_000 + limits.plainAgainMs - 1), "websocket");
  assert.equal(choice.next(1_000 + limits.plainAgainMs), "tcp");
  choice.blocked("tcp");
  assert.equal(choice.next(1_000 + limits.plainAgainMs), "websocket");
  choice.worked("websocket", 2_000 + limits.plainAgainMs);
  assert.equal(choice.next(1_000 + 2 * limits.plainAgainMs), "tcp");
  choice.worked("tcp", 0);
  assert.equal(choice.next(0), "tcp");
});

test("a WebSocket that stops to work gives way as well", () => {
  const choice = createWayChoice();
  choice.blocked("tcp");
  choice.blocked("tcp");
  choice.worked("websocket", 0);
  choice.blocked("websocket");
  choice.blocked("websocket");
  assert.equal(choice.next(0), "tcp");
});
