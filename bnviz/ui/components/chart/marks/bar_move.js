// @ts-check
// Upright bars without words or outlines.

/** @import { MakeMove } from "./moves.js" */

import { samePositions, setPaths } from "./moves.js";
import { bar } from "./paths.js";
import { decoded } from "./values.js";

/** @type {MakeMove} */
export function barMove({ div, full, group, xaxis, yaxis, points, before }) {
  const { marker, error_x, error_y, orientation = "v" } = full;
  const stacks = !["group", "overlay", undefined].includes(/** @type {string | undefined} */ (div._fullLayout.barmode));
  if (stacks || orientation !== "v" || error_x?.visible || error_y?.visible || marker?.line?.width) return undefined;
  if (full.text || marker?.cornerradius) return undefined;
  const isWhole = [div._fullLayout.bargap, div._fullLayout.bargroupgap].every((gap) => Number(gap) === 0);
  const bars = [...group.querySelectorAll(".point > path")];

  return (trace) => {
    const y = decoded(trace.y);
    if (!y || y.length !== bars.length || !samePositions(trace, before, ["x"])) return undefined;
    const paths = points.map(({ p0 = Number.NaN, p1 = Number.NaN, b = 0 }, i) => {
      const [left, right] = [xaxis.c2p(p0, true), xaxis.c2p(p1, true)];
      const [base, end] = [yaxis.c2p(b, true), yaxis.c2p(b + (y[i] ?? Number.NaN), true)];
      return bar({ left, right, base, end }, isWhole);
    });
    return [() => setPaths(bars, paths)];
  };
}
