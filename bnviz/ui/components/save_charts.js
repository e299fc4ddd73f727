// @ts-check
// A button that saves several charts of the page to one PNG file.

/** @import { PatientComponent } from "./component.d.ts" */

import { save } from "./chart/charts.js";

/**
 * @typedef {object} Saved
 * @property {string} label of the button
 * @property {string[]} charts their keys
 * @property {string} name of the file, without its ending
 */

/** @param {PatientComponent<Saved>} component */
export function saveCharts({ data: { label, charts, name }, parentElement }) {
  const button = /** @type {HTMLButtonElement} */ (parentElement.querySelector("button"));
  button.textContent = label;
  button.onclick = () => save(charts, name);
  return () => {};
}
