// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { isOnStep, placeOf, valueAt, written } from "../../../bnviz/ui/components/slider_scale.js";

const LINEAR = { low: -3, high: 5, step: 0.05, log: false };
const LOG = { low: 0.01, high: 100, step: 0.01, log: true };
const WHOLE = { low: 1, high: 20, step: 1, log: false };

test("a place between two steps stands for the nearer one", () => {
  assert.equal(valueAt(LINEAR, 0.123), 0.1);
  assert.equal(valueAt(LINEAR, 0.1300001), 0.15);
  assert.equal(valueAt(WHOLE, 7.4), 7);
});

test("steps do not gather the errors of binary fractions", () => {
  for (let i = 0; i <= 160; i++) assert.equal(valueAt(LINEAR, -3 + i * 0.05), Number((-3 + i * 0.05).toFixed(2)));
});

test("a logarithmic slider is half way at the geometric mean, in three digits", () => {
  const [low, high] = [placeOf(LOG, LOG.low), placeOf(LOG, LOG.high)];
  assert.equal(valueAt(LOG, (low + high) / 2), 1);
  assert.equal(valueAt(LOG, Math.log10(Math.PI)), 3.14);
});

test("place and value belong to one another", () => {
  for (const value of [0.01, 0.5, 3.14, 100]) assert.equal(valueAt(LOG, placeOf(LOG, value)), value);
  for (const value of [-3, 0, 4.95]) assert.equal(valueAt(LINEAR, placeOf(LINEAR, value)), value);
});

test("a value that a button set may lie between two steps", () => {
  assert.ok(isOnStep(LINEAR, 0.15));
  assert.ok(!isOnStep(LINEAR, 0.125));
  assert.ok(!isOnStep(LOG, 0.02));
});

test("a value is written in as many digits as steps tell apart, with a real minus", () => {
  assert.equal(written(LINEAR, -0.1), "−0.10");
  assert.equal(written(LINEAR, 0.123), "0.1230");
  assert.equal(written(WHOLE, 7), "7");
  assert.equal(written(LOG, 0.012345), "0.0123");
});
