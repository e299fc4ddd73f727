// @ts-check
// What stands in the div of a chart: drawn by Plotly, or its marks moved on without it.

/** @import { Figure, Trace } from "./figure.d.ts" */
/** @import { Plotly, PlotlyDiv } from "./plotly_api.d.ts" */
/** @import { Zoom } from "./zoom.js" */

import { MarkMover } from "./marks/mover.js";
import { themeOf } from "./theme.js";
import { inTurn } from "./turns.js";

const CONFIG = { displayModeBar: false, scrollZoom: false }; // the bar covers what it belongs to, and uploads charts
const AT_ONCE = { mode: "immediate", transition: { duration: 0 }, frame: { duration: 0, redraw: false } };
const WHOLE = new Set(["heatmap", "contour", "surface", "scatter3d"]); // know no update of their data alone

/**
 * What a chart must be drawn anew for: Plotly's quick way moves data, and leaves colours as they were.
 *
 * @param {Trace} trace
 */
function look({ type, name, line, marker }) {
  const colors = [line?.color, line?.dash, marker?.color].filter((part) => typeof part === "string");
  return [type, name, ...colors].join();
}

/**
 * What Plotly must draw anew for, less what may move.
 *
 * @param {HTMLElement} div
 * @param {Figure} figure
 */
function shapeOf(div, { data, layout: { meta, ...rest } }) {
  return themeOf(div).key + JSON.stringify(rest) + data.map(look);
}

export class Plot {
  /** Whether marks stand elsewhere than Plotly knows. */
  isAhead = false;
  /** @type {string | undefined} what Plotly has drawn, less what may move */
  #shape;
  /** @type {string | undefined} */
  #still;
  /** @type {Trace[]} what Plotly knows */
  #known = [];
  /** @type {MarkMover | undefined} of what Plotly has drawn */
  #mover;

  /**
   * @param {PlotlyDiv} div
   * @param {Zoom} zoom
   */
  constructor(div, zoom) {
    this.div = div;
    this.zoom = zoom;
  }

  /** Whether Plotly has drawn it in the colours of the theme as it is now. */
  get isInTheme() {
    return Boolean(this.#shape?.startsWith(themeOf(this.div).key));
  }

  /** The next figure is drawn by Plotly, whatever it shares with this one. */
  drawAnew() {
    this.#shape = undefined;
  }

  /** Plotly has drawn its marks anew. */
  forgetMarks() {
    this.#mover = undefined;
  }

  /**
   * Where only data moved, the axes need not be drawn again, nor what a figure says stands still: the marks are moved
   * without Plotly, or with its quick way where it must know, or where a mark is not known here.
   *
   * @param {Plotly} plotly
   * @param {Figure} figure
   * @param {boolean} mayMove false while a reader looks closely: Plotly must know every value
   * @returns {Promise<boolean>} whether marks were moved without Plotly
   */
  async show(plotly, figure, mayMove) {
    const { div } = this;
    const { data, layout } = figure;
    const { still } = layout.meta;
    const isStill = (/** @type {Trace} */ { type }) => WHOLE.has(type) && Boolean(still) && still === this.#still;
    if (shapeOf(div, figure) !== this.#shape) return inTurn(() => this.react(plotly, figure));
    if (mayMove && this.#move(data, isStill)) return true;
    const moving = data.flatMap((trace, index) => (WHOLE.has(trace.type) ? [] : [index]));
    if (this.isAhead || !data.every((trace) => !WHOLE.has(trace.type) || isStill(trace))) {
      return this.react(plotly, figure);
    }
    const resting = [...div.querySelectorAll(".contourlayer")].map((layer) => ({ layer, plot: layer.parentElement }));
    const moved = data.filter((trace) => !WHOLE.has(trace.type));
    await plotly.animate(div, { data: moved, traces: moving }, AT_ONCE);
    for (const { layer, plot } of resting) plot?.prepend(layer); // Plotly takes it away: contours cannot be animated
    this.#mover = undefined;
    this.#known = data;
    return false;
  }

  /**
   * Let Plotly draw all of it.
   *
   * @param {Plotly} plotly
   * @param {Figure} figure
   * @returns {Promise<false>} no mark is moved without Plotly
   */
  async react(plotly, figure) {
    const { div } = this;
    const { data, layout } = figure;
    const { template, scales } = themeOf(div);
    const { meta } = layout;
    const coloraxis = meta.scale && { coloraxis: { ...layout.coloraxis, colorscale: scales[meta.scale] } };
    const zoomed = this.zoom.keep(div, layout);
    const shape = shapeOf(div, figure);
    this.isAhead = false;
    await plotly.react(div, data, { ...layout, ...zoomed, ...coloraxis, template, autosize: true }, CONFIG);
    this.#mover = undefined;
    this.#known = data;
    this.#shape = shape;
    this.#still = meta.still;
    return false;
  }

  /**
   * @param {Trace[]} data
   * @param {(trace: Trace) => boolean} isStill
   */
  #move(data, isStill) {
    this.#mover ??= new MarkMover(this.div, this.#known);
    const moved = this.#mover.move(data, isStill);
    this.isAhead ||= moved;
    return moved;
  }
}
