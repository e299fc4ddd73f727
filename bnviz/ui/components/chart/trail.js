// @ts-check
// A line that appears from its beginning, as a descent goes its way.

/** @import { Trail } from "./figure.d.ts" */

/**
 * @param {HTMLElement} div
 * @param {Trail} trail
 */
export function unroll(div, { trace, at, seconds }) {
  const line = traceElement(div, trace)?.querySelector("path.js-line");
  if (!(line instanceof SVGElement) || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const old of line.getAnimations()) old.cancel();
  line.setAttribute("pathLength", "1");
  line.style.strokeDasharray = "1 1";
  const appearing = line.animate(
    at.map((share) => ({ strokeDashoffset: String(1 - share) })),
    1000 * seconds,
  );
  appearing.onfinish = () => {
    line.style.strokeDasharray = "";
  };
}

/**
 * What Plotly has drawn of one scatter trace.
 *
 * @param {HTMLElement} div
 * @param {number} index
 */
function traceElement(div, index) {
  /** @type {NodeListOf<Element & { __data__?: { trace?: { index: number } }[] }>} */
  const groups = div.querySelectorAll(".scatterlayer .trace");
  return [...groups].find((group) => group.__data__?.[0]?.trace?.index === index);
}
