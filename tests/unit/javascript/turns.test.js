// @ts-check
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { inTurn } from "../../../bnviz/ui/components/chart/turns.js";
import { Clock } from "./clock.js";

const clock = new Clock();
const soon = setImmediate;
/** @type {(() => void)[]} what waits for the next frame */
let waiting = [];
/** @type {string[]} */
let drawn = [];

beforeEach(() => {
  clock.install();
  [waiting, drawn] = [[], []];
  Object.assign(globalThis, { requestAnimationFrame: (/** @type {() => void} */ call) => waiting.push(call) });
});
afterEach(() => clock.remove());

/** @param {string} name */
const draw = (name) =>
  inTurn(async () => {
    clock.pass(25);
    drawn.push(name);
  });
const allElse = () => new Promise((resolve) => soon(resolve));
async function frame() {
  for (const call of waiting.splice(0)) call();
  await allElse();
}

test("a frame is shown before more is drawn than fits, and nothing is left out", async () => {
  const all = ["loss", "activations", "saturation", "network", "gradients"].map(draw);
  await allElse();
  assert.deepEqual(drawn, ["loss", "activations"]);
  await frame();
  assert.deepEqual(drawn, ["loss", "activations", "saturation", "network"]);
  await frame();
  await Promise.all(all);
  assert.equal(drawn.length, 5);
  await frame();
});

test("what comes after the frame was shown need not wait", async () => {
  await draw("loss");
  await frame();
  await draw("loss");
  assert.deepEqual(drawn, ["loss", "loss"]);
  await frame();
});
