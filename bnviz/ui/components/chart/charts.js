// @ts-check
// The charts on the page by their keys, and figures on their way to them.

/** @import { Delivery } from "./chart.js" */
/** @import { Figures } from "./figure.d.ts" */

import { Chart } from "./chart.js";
import { savePictures } from "./picture.js";

const THEME_EVERY = 1000; // milliseconds between two looks whether the theme has changed

/** @type {Map<string, Chart>} */
const charts = new Map();
/** @type {Map<string, Delivery>} figures that came before their chart, by its key */
const waiting = new Map();
/** @type {WeakMap<Element, Chart>} */
const byDiv = new WeakMap();

/**
 * The chart that is drawn in a div.
 *
 * @param {Element} div
 */
export const chartOf = (div) => byDiv.get(div);

/**
 * The chart of a key, in a place that may be new to it.
 *
 * @param {string} key
 * @param {HTMLElement} div
 * @param {HTMLElement} words
 * @param {HTMLButtonElement} saveButton
 */
export function mount(key, div, words, saveButton) {
  const chart = byDiv.get(div) ?? new Chart(div, words, saveButton);
  byDiv.set(div, chart);
  charts.set(key, chart);
  return chart;
}

/**
 * @param {string} key
 * @param {Chart} chart
 */
export function unmount(key, chart) {
  chart.remove();
  if (charts.get(key) === chart) charts.delete(key);
}

/**
 * A figure for the chart of a key, which may not be there yet.
 *
 * @param {string} key
 * @param {Delivery} delivery
 */
export async function deliver(key, delivery) {
  const chart = charts.get(key);
  if (chart) await chart.deliver(delivery);
  else waiting.set(key, delivery);
}

/**
 * The figure that came before its chart; it is handed out once.
 *
 * @param {string} key
 */
export function takeWaiting(key) {
  const delivery = waiting.get(key);
  waiting.delete(key);
  return delivery;
}

/**
 * Figures by the key of their chart; what fails in one leaves the others as they should be.
 *
 * @param {Figures} figures
 * @param {string} url of Plotly
 * @param {number} after the time of the move of a slider that they belong to, in milliseconds
 */
export async function deliverAll(figures, url, after = 0) {
  if (after) for (const { layout } of Object.values(figures)) layout.meta.after = after;
  const drawn = await Promise.allSettled(Object.entries(figures).map(([key, figure]) => deliver(key, { figure, url })));
  for (const result of drawn) if (result.status === "rejected") throw result.reason;
}

/**
 * Save those of some charts that have been drawn to one PNG file.
 *
 * @param {string[]} keys
 * @param {string} name of the file, without its ending
 */
export async function save(keys, name) {
  const drawn = keys.flatMap((key) => charts.get(key) ?? []).filter((chart) => chart.isReady);
  const [first] = drawn;
  if (first) await savePictures(await Promise.all(drawn.map((chart) => chart.picture())), first.paper, name);
}

// A chart that stands still follows the theme too.
setInterval(() => {
  for (const chart of charts.values()) if (chart.isReady && !chart.isInTheme) chart.redraw();
}, THEME_EVERY);
