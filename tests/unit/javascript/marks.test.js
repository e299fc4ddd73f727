// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { cellsAlong, colorAt } from "../../../bnviz/ui/components/chart/marks/heatmap.js";
import { area, bar, line, lines, runs } from "../../../bnviz/ui/components/chart/marks/paths.js";
import { decoded } from "../../../bnviz/ui/components/chart/marks/values.js";

/** @import { Scale } from "../../../bnviz/ui/components/chart/marks/heatmap.js" */

const places = (/** @type {[number, number][]} */ ...pairs) => pairs.map(([x, y]) => ({ x, y }));
const GAP = /** @type {[number, number]} */ ([2, Number.NaN]);

test("numbers travel as bytes and arrive as they were", () => {
  const sent = Float32Array.of(0.5, -2, Number.NaN);
  const bdata = Buffer.from(sent.buffer).toString("base64");
  assert.deepEqual(decoded({ dtype: "f4", bdata }), sent);
  assert.deepEqual(decoded([1, 2]), [1, 2]);
  assert.equal(decoded(undefined), undefined);
  assert.equal(decoded({ dtype: "c16", bdata }), undefined);
});

test("a value that is no number breaks a line, or is skipped", () => {
  const broken = places([0, 0], [1, 1], GAP, [3, 3]);
  assert.deepEqual(runs(broken, false), [places([0, 0], [1, 1]), places([3, 3])]);
  assert.deepEqual(runs(broken, true), [places([0, 0], [1, 1], [3, 3])]);
  assert.deepEqual(runs(places(GAP), false), []);
  assert.deepEqual(runs([], true), []);
});

test("a line is straight or goes in steps", () => {
  assert.equal(line(places([0, 0], [1, 2]), false), "M0,0L1,2");
  assert.equal(line(places([0, 0], [1, 2]), true), "M0,0H1V2");
});

test("a lone place has no line, and no places an empty path", () => {
  assert.equal(lines([places([0, 0], [1, 2]), places([5, 5])], false), "M0,0L1,2");
  assert.equal(lines([], false), "M0,0Z");
});

test("an area reaches down to its line below the first and the last place, over gaps too", () => {
  assert.equal(area([places([0, 1], [1, 2])], false, 9), "M0,1L1,2L1,9L0,9Z");
  assert.equal(area([places([0, 1], [1, 2]), places([3, 4])], false, 9), "M0,1L1,2L3,4L3,9L0,9Z");
  assert.equal(area([], false, 9), "M0,0Z");
});

test("a bar stands where its edges are, and a thin one is not rounded away", () => {
  const edges = { left: 1.4, right: 4.6, base: 100, end: 20.3 };
  assert.equal(bar(edges, false), "M1.4,100V20.3H4.6V100Z");
  assert.equal(bar(edges, true), "M1,100V20H5V100Z");
  assert.equal(bar({ ...edges, right: 1.6 }, false), "M1,100V20.3H2V100Z");
  assert.equal(bar({ ...edges, end: 99.6 }, false), "M1.4,100V99H4.6V100Z");
  assert.equal(bar({ ...edges, end: 100 }, false), "M1.4,100V100H4.6V100Z");
  assert.equal(bar({ ...edges, end: Number.NaN }, false), "M0,0Z");
});

test("cells share whole pixels, whichever way their axis runs, with a gap between them", () => {
  const cells = [
    { at: 0, length: 2 },
    { at: 3, length: 3 },
  ];
  assert.deepEqual(cellsAlong([0, 3.3, 7], 1), cells);
  assert.deepEqual(cellsAlong([7, 3.3, 0], 1), cells.toReversed?.() ?? [...cells].reverse());
});

test("colours lie between those of the scale, and beyond its ends are its ends", () => {
  /** @type {Scale} */
  const scale = [
    [0, [0, 0, 0]],
    [0.5, [100, 200, 50]],
    [1, [200, 0, 50]],
  ];
  assert.deepEqual(colorAt(scale, 0.25), [50, 100, 25]);
  assert.deepEqual(colorAt(scale, 0.75), [150, 100, 50]);
  for (const [share, place] of [
    [-3, 0],
    [0, 0],
    [0.5, 1],
    [1, 2],
    [7, 2],
  ]) {
    assert.deepEqual(colorAt(scale, /** @type {number} */ (share)), scale[/** @type {number} */ (place)]?.[1]);
  }
});
