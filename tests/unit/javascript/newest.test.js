// @ts-check
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { NewestMove, timeOfMove } from "../../../bnviz/ui/components/newest.js";
import { Clock } from "./clock.js";

const clock = new Clock();
/** @type {number[]} values, as they were told */
let told = [];
let move = new NewestMove();

beforeEach(() => {
  clock.install();
  told = [];
  move = new NewestMove();
  move.tell = ({ value }) => told.push(value);
});
afterEach(() => clock.remove());

test("a move is told at once", () => {
  move.make({ at: 1, value: 10 });
  assert.deepEqual(told, [10]);
});

test("one message is on its way at a time, and then the newest", () => {
  for (const at of [1, 2, 3]) move.make({ at, value: 10 * at });
  assert.deepEqual(told, [10]);
  move.answered(1);
  assert.deepEqual(told, [10, 30]);
  move.answered(3);
  assert.equal(move.unanswered, undefined);
});

test("the answer to an earlier message is no answer", () => {
  move.make({ at: 1, value: 10 });
  move.answered(1);
  move.make({ at: 2, value: 20 });
  move.answered(1);
  move.make({ at: 3, value: 30 });
  assert.deepEqual(told, [10, 20]);
  assert.equal(move.unanswered?.at, 3);
});

test("what was not answered is told again, ever more patiently, with the newest value", () => {
  move.make({ at: 1, value: 10 });
  move.make({ at: 2, value: 20 });
  clock.pass(999);
  assert.deepEqual(told, [10]);
  clock.pass(1);
  assert.deepEqual(told, [10, 20]);
  clock.pass(1999);
  assert.deepEqual(told, [10, 20]);
  clock.pass(1);
  assert.deepEqual(told, [10, 20, 20]);
});

test("a hand that does not rest tells nothing until it rests or lets go", () => {
  for (const at of [1, 2, 3]) {
    move.make({ at, value: 10 * at }, 200);
    clock.pass(199);
  }
  assert.deepEqual(told, []);
  clock.pass(1);
  assert.deepEqual(told, [30]);
  move.answered(3);
  move.make({ at: 4, value: 40 }, 200);
  move.flush();
  assert.deepEqual(told, [30, 40]);
});

test("an answer does not hurry a hand that moves on", () => {
  move.make({ at: 1, value: 10 });
  move.make({ at: 2, value: 20 }, 200);
  move.answered(1);
  assert.deepEqual(told, [10]);
  clock.pass(200);
  assert.deepEqual(told, [10, 20]);
});

test("a page that is left tells nothing more, until it is back", () => {
  move.make({ at: 1, value: 10 });
  move.suspend();
  clock.pass(60_000);
  assert.deepEqual(told, [10]);
  move.resend();
  assert.deepEqual(told, [10, 10]);
});

test("no two moves have the same time", () => {
  const times = Array.from({ length: 1000 }, timeOfMove);
  assert.ok(times.every((at, i) => i === 0 || at > /** @type {number} */ (times[i - 1])));
});
