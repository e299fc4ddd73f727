// @ts-check
// Heat maps, whose picture is painted here as Plotly would.

/** @import { ColorAxis } from "../plotly_api.d.ts" */
/** @import { Color, Scale } from "./heatmap.js" */
/** @import { MakeMove } from "./moves.js" */

import { cellsAlong, colorAt } from "./heatmap.js";
import { samePositions } from "./moves.js";
import { decoded } from "./values.js";

const LINK = "http://www.w3.org/1999/xlink";

/** @type {MakeMove} */
export function heatmapMove({ div, full, group, xaxis, yaxis, points: [cells], before }) {
  const image = group.querySelector("image");
  const axis = /** @type {ColorAxis | undefined} */ (/** @type {unknown} */ (div._fullLayout[full.coloraxis ?? ""]));
  if (!image || !axis || axis.cauto || axis.reversescale || full.zsmooth || full.texttemplate) return undefined;
  if (!Array.isArray(cells?.x) || !Array.isArray(cells.y)) return undefined;
  const number = (/** @type {string} */ name) => Number(image.getAttribute(name));
  const [left, top, width, height] = ["x", "y", "width", "height"].map(number);
  const columns = cellsAlong(
    cells.x.map((edge) => xaxis.c2p(edge) - /** @type {number} */ (left)),
    full.xgap ?? 0,
  );
  const rows = cellsAlong(
    cells.y.map((edge) => yaxis.c2p(edge) - /** @type {number} */ (top)),
    full.ygap ?? 0,
  );
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width ?? 0, height ?? 0];
  const pen = canvas.getContext("2d");
  if (!pen) return undefined;
  const scale = /** @type {Scale} */ (axis.colorscale.map(([place, color]) => [place, parsed(pen, color)]));

  return (trace) => {
    const z = decoded(trace.z);
    if (!z || z.length !== rows.length * columns.length || !samePositions(trace, before, ["x", "y"])) return undefined;
    return [
      () => {
        pen.clearRect(0, 0, canvas.width, canvas.height);
        for (const [i, row] of rows.entries()) {
          for (const [j, column] of columns.entries()) {
            const value = z[i * columns.length + j] ?? Number.NaN;
            if (!Number.isFinite(value)) continue;
            pen.fillStyle = `rgb(${colorAt(scale, (value - axis.cmin) / (axis.cmax - axis.cmin)).join()})`;
            pen.fillRect(column.at, row.at, column.length, row.length);
          }
        }
        image.setAttributeNS(LINK, "xlink:href", canvas.toDataURL("image/png"));
      },
    ];
  };
}

/**
 * The parts of a colour that is written in any way that CSS knows, without transparency.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {string} color
 * @returns {Color}
 */
function parsed(pen, color) {
  pen.fillStyle = color;
  const hex = String(pen.fillStyle);
  const part = (/** @type {number} */ from) => Number.parseInt(hex.slice(from, from + 2), 16);
  return [part(1), part(3), part(5)];
}
