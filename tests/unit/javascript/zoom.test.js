// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { Zoom } from "../../../bnviz/ui/components/chart/zoom.js";

/** @import { PlotlyDiv } from "../../../bnviz/ui/components/chart/plotly_api.d.ts" */

const TITLE = { text: "step" };
const BASE = { height: 300, meta: { alt: "" } };

/**
 * A div that shows one x axis from 2 to 3, as the reader chose.
 *
 * @param {Record<string, (event: any) => void>} listeners filled with what is listened to
 */
function shown(listeners = {}) {
  const div = {
    layout: { xaxis: { type: "linear", title: TITLE } },
    _fullLayout: { xaxis: { range: [2, 3] } },
    on: (/** @type {string} */ event, /** @type {() => void} */ listener) => {
      listeners[event] = listener;
    },
  };
  return /** @type {PlotlyDiv} */ (/** @type {unknown} */ (div));
}

function zoomed() {
  /** @type {Record<string, (event: any) => void>} */
  const listeners = {};
  const [zoom, div] = [new Zoom(), shown(listeners)];
  zoom.watch(div, () => {});
  listeners.plotly_relayout?.({ "xaxis.range[0]": 2, "xaxis.range[1]": 3, "yaxis.autorange": true });
  return { zoom, div };
}

test("the axes whose range was changed are zoomed", () => {
  assert.deepEqual([...zoomed().zoom.axes], ["xaxis"]);
});

test("a zoomed axis keeps its range though the figure's own has grown", () => {
  const { zoom, div } = zoomed();
  const kept = zoom.keep(div, { ...BASE, xaxis: { title: TITLE, range: [0, 2000] } });
  assert.deepEqual(kept, { xaxis: { title: TITLE, range: [2, 3] } });
});

test("a zoom ends when its axis counts something else or is gone", () => {
  for (const xaxis of [{ title: { text: "seconds" } }, { title: TITLE, type: "log" }, undefined]) {
    const { zoom, div } = zoomed();
    assert.deepEqual(zoom.keep(div, { ...BASE, xaxis }), {});
    assert.equal(zoom.axes.size, 0);
  }
});
