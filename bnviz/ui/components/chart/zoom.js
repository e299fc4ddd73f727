// @ts-check
// A reader's zoom, which lasts until a double click, even when the figure's own range grows meanwhile.

/** @import { Axis, Layout } from "./figure.d.ts" */
/** @import { PlotlyDiv } from "./plotly_api.d.ts" */

/**
 * What an axis counts. Plotly writes the type that it found into the layout; a figure that names none means the usual.
 *
 * @param {Axis | undefined} axis
 */
const kind = (axis) => axis && JSON.stringify([axis.type ?? "linear", axis.title]);

/** The axes of one chart that a reader has zoomed. */
export class Zoom {
  /** @type {Set<string>} names of axes in the layout */
  axes = new Set();

  /**
   * Listen to a chart.
   *
   * @param {PlotlyDiv} div
   * @param {() => void} redraw called when a double click has ended the zoom
   */
  watch(div, redraw) {
    div.on("plotly_relayout", (change) => {
      for (const name of Object.keys(change)) {
        const axis = name.match(/^([xy]axis\d*)\.range/)?.[1];
        if (axis) this.axes.add(axis);
      }
    });
    div.on("plotly_doubleclick", () => {
      const end = () => {
        this.axes.clear();
        redraw();
      };
      setTimeout(end); // after Plotly's own answer to it, which looks like another zoom
    });
  }

  /**
   * The axes of a new layout with the ranges that the reader chose. A zoom ends with its axis: when it is gone, or
   * counts something else.
   *
   * @param {PlotlyDiv} div which shows the layout before
   * @param {Layout} layout
   * @returns {Record<string, Axis>} the zoomed axes
   */
  keep(div, layout) {
    /** @type {Record<string, Axis>} */
    const kept = {};
    for (const name of this.axes) {
      const axis = /** @type {Axis | undefined} */ (layout[name]);
      const { range } = div._fullLayout[name] ?? {};
      if (range && kind(axis) === kind(div.layout[name])) kept[name] = { ...axis, range: [...range] };
      else this.axes.delete(name);
    }
    return kept;
  }
}
