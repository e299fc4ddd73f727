// @ts-check
// Marks that Plotly has drawn, moved without asking it to think again: for figures whose layout stands still.
//
// Plotly works out every default, axis and title of a figure anew, some 9 ms a chart, though only numbers have changed.
// Its own axes say where a number belongs, so that lines, areas, markers, bars and heat maps can be put there directly.
// What is not known here (other traces, errors bars, words beside marks) makes a chart that only Plotly can draw.

/** @import { Trace } from "../figure.d.ts" */
/** @import { FullAxis, FullTrace, PlotlyDiv } from "../plotly_api.d.ts" */
/** @import { Move } from "./moves.js" */

import { barMove } from "./bar_move.js";
import { heatmapMove } from "./heatmap_move.js";
import { scatterMove } from "./scatter_move.js";

const MOVES = { scatter: scatterMove, bar: barMove, heatmap: heatmapMove };
const HEARD_NOT_SEEN = ["customdata", "hovertext"]; // tell a hover what it says, and move nothing

/**
 * What a trace looks like, apart from the numbers that move.
 *
 * @param {Trace} trace
 */
function look({ x: _x, y: _y, z: _z, ...rest }) {
  return JSON.stringify(rest, (name, value) => (HEARD_NOT_SEEN.includes(name) ? undefined : value));
}

/** The marks of one chart as Plotly has drawn them; another drawing needs another of these. */
export class MarkMover {
  /** @type {string[]} */
  #looks;
  /** @type {(Move | undefined)[]} */
  #moves;

  /**
   * @param {PlotlyDiv} div in which Plotly has just drawn `data`
   * @param {Trace[]} data
   */
  constructor(div, data) {
    this.#looks = data.map(look);
    const groups = drawnGroups(div);
    this.#moves = data.map((trace, index) => {
      const full = div._fullData[index];
      if (!full) return undefined;
      const [xaxis, yaxis] = [axisOf(div, full.xaxis ?? "x"), axisOf(div, full.yaxis ?? "y")];
      const group = groups.get(index);
      if (!group || full.visible !== true)
        return isEmpty(trace) ? (next) => (isEmpty(next) ? [] : undefined) : undefined;
      if (!xaxis || !yaxis) return undefined;
      const make = MOVES[/** @type {keyof typeof MOVES} */ (full.type)];
      return make?.({ div, full, group, xaxis, yaxis, points: div.calcdata[index] ?? [], before: trace });
    });
  }

  /**
   * Move the marks to where other data want them. All of them or none.
   *
   * @param {Trace[]} data
   * @param {(trace: Trace) => boolean} rests whether what a trace shows has not moved
   * @returns {boolean} whether it was possible
   */
  move(data, rests) {
    if (data.length !== this.#looks.length) return false;
    /** @type {(() => void)[]} */
    const changes = [];
    for (const [index, trace] of data.entries()) {
      if (rests(trace)) continue;
      const found = look(trace) === this.#looks[index] ? this.#moves[index]?.(trace) : undefined;
      if (!found) return false;
      changes.push(...found);
    }
    for (const change of changes) change();
    return true;
  }
}

/** @param {Trace} trace */
const isEmpty = ({ x, y }) => [x, y].some((values) => values && ("bdata" in values ? !values.bdata : !values.length));

/**
 * What Plotly has drawn of each trace, by its index.
 *
 * @param {PlotlyDiv} div
 */
function drawnGroups(div) {
  /** @type {NodeListOf<Element & { __data__?: { trace?: FullTrace & { index?: number } }[] }>} */
  const groups = div.querySelectorAll(".scatterlayer .trace, .barlayer .trace, .heatmaplayer .hm");
  return new Map([...groups].map((group) => [group.__data__?.[0]?.trace?.index, group]));
}

/**
 * An axis that stands still, whatever the data; undefined if Plotly chooses its range, or if it does not count numbers.
 *
 * @param {PlotlyDiv} div
 * @param {string} id such as x or y2
 * @returns {FullAxis | undefined}
 */
function axisOf(div, id) {
  const axis = div._fullLayout[`${id[0]}axis${id.slice(1)}`];
  return axis && !axis.autorange && (axis.type === "linear" || axis.type === "log") ? axis : undefined;
}
