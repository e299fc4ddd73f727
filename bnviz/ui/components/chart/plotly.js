// @ts-check
// Plotly's own script, loaded when the first chart has its place.

/** @import { Plotly } from "./plotly_api.d.ts" */

/** @type {Promise<Plotly> | undefined} */
let loading;

/**
 * @param {string} url
 * @returns {Promise<Plotly>}
 */
export function loadPlotly(url) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = undefined; // the next figure tries again
      reject(new Error(`could not load ${url}`));
    };
    document.head.append(script);
  });
  return loading;
}
