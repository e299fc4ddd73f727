// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { curve } from "../../../bnviz/ui/components/draw_pad.js";

test("a lone point is a dot", () => {
  assert.equal(curve([[3, 4]]), "M3,4h0.01");
});

test("two points are a line", () => {
  assert.equal(
    curve([
      [0, 0],
      [2, 4],
    ]),
    "M0,0L2,4",
  );
});

test("between its ends a stroke goes through the points' midpoints and bends towards the points", () => {
  assert.equal(
    curve([
      [0, 0],
      [2, 0],
      [4, 2],
      [4, 6],
    ]),
    "M0,0Q2,0 3,1Q4,2 4,4L4,6",
  );
});
