// @ts-check
// Lines, the areas below them, and markers.

/** @import { MakeMove } from "./moves.js" */
/** @import { Pixel } from "./paths.js" */

import { setPaths } from "./moves.js";
import { area, lines, runs } from "./paths.js";
import { decoded } from "./values.js";

const FILLS = new Set([undefined, "none", "tozeroy"]);
const SHAPES = new Set([undefined, "linear", "hv"]);

/** @type {MakeMove} */
export function scatterMove({ full, group, xaxis, yaxis }) {
  const { mode = "", fill, line: style, marker, error_x, error_y } = full;
  if (mode.includes("text") || full.stackgroup || error_x?.visible || error_y?.visible) return undefined;
  if (!FILLS.has(fill) || !SHAPES.has(style?.shape) || (fill === "tozeroy" && yaxis.type !== "linear"))
    return undefined;
  const steps = style?.shape === "hv";
  const paths = [...group.querySelectorAll("path.js-line")];
  const fills = [...group.querySelectorAll("path.js-fill")];
  const place = group.querySelector(".points");
  const isAlike = [marker?.color, marker?.size, marker?.symbol].every((part) => typeof part !== "object");

  return (trace) => {
    const [x, y] = [decoded(trace.x), decoded(trace.y)];
    if (!x || !y) return undefined;
    const pixels = Array.from(x, (value, i) => ({ x: xaxis.c2p(value), y: yaxis.c2p(y[i] ?? Number.NaN) }));
    const found = runs(pixels, Boolean(full.connectgaps));
    /** @type {(() => void)[]} */
    const changes = [];
    if (mode.includes("lines")) {
      if (!paths.length && found.some((run) => run.length > 1)) return undefined;
      // All runs are one path; Plotly, which makes a path of each, will give every path its own again.
      changes.push(() => setPaths(paths, [lines(found, steps)]));
    }
    if (fill === "tozeroy") {
      if (!fills.length && found.length) return undefined;
      changes.push(() => setPaths(fills, [area(found, steps, yaxis.c2p(0, true))]));
    }
    if (mode.includes("markers")) {
      const seen = found.flat();
      const drawn = place ? [...place.querySelectorAll("path.point")] : [];
      if (drawn.length !== seen.length && !(isAlike && drawn.length)) return undefined;
      changes.push(() => moveMarkers(/** @type {Element} */ (place), drawn, seen));
    }
    return changes;
  };
}

/**
 * Markers that all look alike may become more or fewer.
 *
 * @param {Element} place
 * @param {Element[]} drawn
 * @param {Pixel[]} seen
 */
function moveMarkers(place, drawn, seen) {
  for (const [i, { x, y }] of seen.entries()) {
    const marker = drawn[i] ?? place.appendChild(/** @type {Element} */ (drawn[0]?.cloneNode()));
    marker.setAttribute("transform", `translate(${x},${y})`);
  }
  for (const marker of drawn.slice(Math.max(seen.length, 1))) marker.remove();
  if (!seen.length) drawn[0]?.setAttribute("transform", "translate(-1e4,-1e4)"); // kept as the model of later ones
}
