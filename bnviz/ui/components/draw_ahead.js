// @ts-check
// Charts that follow sliders past Streamlit: a rerun would take longer than the hand that moves them.

/** @import { Figures } from "./chart/figure.d.ts" */

import { deliverAll } from "./chart/charts.js";
import { nextFrame } from "./chart/turns.js";

/** @typedef {{ url: string, plotly: string }} Shortcut where figures are asked for, and Plotly's own script */

/** @type {Map<string, number>} values that Python has not answered yet, by the key of their slider */
const untold = new Map();
let newestAt = 0; // the newest move of any of them
let drawnAt = 0; // the newest move that figures were asked for
let drawing = false;

/**
 * Draw the charts with this value too, and go on until those of the newest move are drawn.
 *
 * @param {Shortcut} shortcut
 * @param {string} key
 * @param {{ at: number, value: number }} move
 */
export async function drawAhead(shortcut, key, { at, value }) {
  untold.set(key, value);
  newestAt = at;
  if (drawing) return;
  drawing = true;
  try {
    while (drawnAt !== newestAt && untold.size) {
      drawnAt = newestAt;
      const values = [...untold].map(([slider, untoldValue]) => [slider, String(untoldValue)]);
      const answer = await fetch(`${shortcut.url}?${new URLSearchParams(values)}`);
      if (!answer.ok) return; // the figures come with Streamlit's answer
      await deliverAll(/** @type {Figures} */ (await answer.json()), shortcut.plotly, drawnAt);
      await nextFrame();
    }
  } catch (error) {
    console.warn(error);
  } finally {
    drawing = false;
  }
}

/**
 * Python knows the slider's value, or nobody will tell it any more.
 *
 * @param {string} key
 */
export function forgetAhead(key) {
  untold.delete(key);
}
