// @ts-check
// The place of one Plotly chart: mounted once, and left alone by reruns of the page.

/** @import { Figure } from "./chart/figure.d.ts" */
/** @import { PatientComponent } from "./component.d.ts" */

import { deliver, mount, save, takeWaiting, unmount } from "./chart/charts.js";
import { loadPlotly } from "./chart/plotly.js";

/**
 * @typedef {object} ChartData
 * @property {string} key
 * @property {string} url of Plotly
 * @property {Figure | null} figure
 * @property {boolean} clickable whether a click is told
 * @property {boolean} savable whether there is a button for an image file
 */

/** @param {PatientComponent<ChartData>} component */
export function liveChart({ data: { key, url, figure, clickable, savable }, parentElement, setTriggerValue }) {
  const div = /** @type {HTMLElement} */ (parentElement.querySelector(".bnviz-chart"));
  const words = /** @type {HTMLElement} */ (parentElement.querySelector(".bnviz-notes"));
  const button = /** @type {HTMLButtonElement} */ (parentElement.querySelector(".bnviz-save"));
  const chart = mount(key, div, words, button);
  if (figure) chart.keepRoom(figure);
  chart.onClick = clickable ? (point) => setTriggerValue("click", { ...point, at: performance.now() }) : undefined;
  button.hidden = !savable;
  button.onclick = () => save([key], key);
  const waited = takeWaiting(key);
  const next = figure ? { figure, url } : waited;
  if (next) deliver(key, next);
  else loadPlotly(url).catch(() => {}); // before the figure is there; if it fails now, the figure says so
  return () => {
    if (!div.isConnected) unmount(key, chart); // Streamlit also calls this when new data overtake the old
  };
}
