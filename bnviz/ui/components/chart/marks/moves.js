// @ts-check
// What every kind of mark shares that can be moved.

/** @import { Trace } from "../figure.d.ts" */
/** @import { CalculatedPoint, FullAxis, FullTrace, PlotlyDiv } from "../plotly_api.d.ts" */

/**
 * The changes of the page that show other data; undefined where only Plotly can draw them.
 *
 * @typedef {(trace: Trace) => (() => void)[] | undefined} Move
 */

/**
 * One trace as Plotly has drawn it.
 *
 * @typedef {object} DrawnTrace
 * @property {PlotlyDiv} div
 * @property {FullTrace} full
 * @property {Element} group
 * @property {FullAxis} xaxis
 * @property {FullAxis} yaxis
 * @property {CalculatedPoint[]} points
 * @property {Trace} before as it was given to Plotly
 */

/** @typedef {(drawn: DrawnTrace) => Move | undefined} MakeMove undefined for a look that is not known here */

/**
 * Whether the positions of two traces are the same: those of bars and cells, which Plotly has worked out.
 *
 * @param {Trace} one
 * @param {Trace} other
 * @param {("x" | "y")[]} sides
 */
export const samePositions = (one, other, sides) =>
  sides.every((side) => JSON.stringify(one[side]) === JSON.stringify(other[side]));

/**
 * Give every element its path; those without one are empty.
 *
 * @param {Element[]} elements
 * @param {string[]} paths
 */
export function setPaths(elements, paths) {
  for (const [i, element] of elements.entries()) element.setAttribute("d", paths[i] ?? "M0,0Z");
}
