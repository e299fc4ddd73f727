// @ts-check
// What is made of a hand that draws a curve, and where a point lies on one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { told, within } from "../../../bnviz/ui/components/guess_axes.js";
import { completed, stroke } from "../../../bnviz/ui/components/guess_curve.js";
import { heightAt } from "../../../bnviz/ui/components/guess_point.js";

test("what was not drawn lies on straight lines between what was, and goes on level", () => {
  assert.deepEqual(completed([null, null, 2, null, 4, null], 0), [0, 1, 2, 3, 4, 4]);
  assert.deepEqual(completed([null, null], 3), [3, 3]);
  assert.deepEqual(completed([1, 2], 9), [1, 2]);
});

test("a stroke sets every point that it passes, in either direction, and no other", () => {
  /** @type {(number | null)[]} */
  const heights = [null, null, null, null, null];
  stroke(heights, { i: 3.5, y: 7 }, { i: 0.5, y: 1 });
  assert.deepEqual(heights, [null, 2, 4, 6, null]);
  stroke(heights, { i: 4, y: 1 }, { i: 4, y: 1 });
  assert.equal(heights[4], 1);
});

test("a point on a curve has the height of the curve, level beyond its ends", () => {
  /** @type {[number, number][]} */
  const curve = [
    [0, 0],
    [2, 1],
    [4, -1],
  ];
  assert.deepEqual(
    [-1, 0, 1, 3, 4, 9].map((x) => heightAt(curve, x)),
    [0, 0, 0.5, 0, -1, -1],
  );
});

test("numbers are told with few digits and a minus sign", () => {
  assert.deepEqual([-2.126, 1500, 0.5, 0].map(told), ["−2.13", "1,500", "0.5", "0"]);
  assert.deepEqual([within(5, 0, 1), within(-1, 0, 1), within(0.3, 0, 1)], [1, 0, 0.3]);
});
