// @ts-check
// One chart: a div in which every new figure is drawn, so that zoom, hover and the div itself outlive every update.

/** @import { Figure, Trace } from "./figure.d.ts" */
/** @import { Plotly, PlotlyDiv } from "./plotly_api.d.ts" */

import { MarkMover } from "./marks/mover.js";
import { pictureOf } from "./picture.js";
import { loadPlotly } from "./plotly.js";
import { themeOf } from "./theme.js";
import { unroll } from "./trail.js";
import { Zoom } from "./zoom.js";

const CONFIG = { displayModeBar: false, scrollZoom: false }; // the bar covers what it belongs to, and uploads charts
const AT_ONCE = { mode: "immediate", transition: { duration: 0 }, frame: { duration: 0, redraw: false } };
const SETTLE = 150; // milliseconds without a figure until Plotly hears of marks that were moved without it ...
const PAUSE = 2000; // ... and at most so many where figures come slowly: drawn in between, they would come slower yet
const UNSEEN_EVERY = 500; // milliseconds between two drawings of a chart that is off the screen
const WHOLE = new Set(["heatmap", "contour", "surface", "scatter3d"]); // know no update of their data alone

/** @typedef {{ figure: Figure, url: string }} Delivery a figure, and where Plotly is found */
/** @typedef {{ curve: number, x: number, y: number }} Point */

const phone = matchMedia("(max-width: 640px)");

/**
 * The figure as this screen wants it: as high as fits the window, and on a phone laid out in another way; its meta says
 * how.
 *
 * @param {Figure} figure
 * @returns {Figure}
 */
function fitting({ data, layout }) {
  const { fit, narrow } = layout.meta;
  const height = fit ? Math.min(fit[1], Math.max(fit[0], innerHeight - fit[2])) : layout.height;
  return { data, layout: { ...layout, height, ...(phone.matches && narrow) } };
}

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

export class Chart {
  zoom = new Zoom();
  /** @type {((point: Point) => void) | undefined} */
  onClick;
  /** @type {Delivery | undefined} */
  #shown;
  /** @type {Delivery | undefined} */
  #next;
  #isDrawing = false;
  /** Time of the newest move of a slider in a figure that came here. */
  #after = 0;
  /** @type {string | undefined} what Plotly has drawn, less what may move */
  #shape;
  /** @type {string | undefined} */
  #still;
  /** @type {Trace[]} what Plotly knows */
  #known = [];
  /** @type {MarkMover | undefined} of what Plotly has drawn */
  #mover;
  /** Whether marks stand elsewhere than Plotly knows. */
  #isAhead = false;
  #isHovered = false;
  #isOnScreen = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;
  #movedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unseen;
  #unseenAt = -UNSEEN_EVERY; // when it was last drawn off the screen

  /**
   * @param {HTMLElement} div
   * @param {HTMLElement} words the place above it
   * @param {HTMLButtonElement} saveButton
   */
  constructor(div, words, saveButton) {
    this.div = /** @type {PlotlyDiv} */ (div);
    this.words = words;
    this.saveButton = saveButton;
    this.resizing = new ResizeObserver(() => {
      if (!this.isReady || !div.clientWidth) return;
      if (this.#isAhead) this.redraw();
      else window.Plotly.Plots.resize(div);
    });
    this.seeing = new IntersectionObserver((entries) => {
      this.#isOnScreen = entries.some(({ isIntersecting }) => isIntersecting);
      if (this.#isOnScreen) this.#draw();
    });
    this.seeing.observe(div);
    div.addEventListener("pointerenter", () => {
      this.#isHovered = true;
      this.settle();
    });
    div.addEventListener("pointerleave", () => {
      this.#isHovered = false;
    });
    this.resizing.observe(div);
    phone.addEventListener("change", this.#fitPhone);
    addEventListener("resize", this.#fitWindow);
  }

  /** Whether anything has been drawn. */
  get isReady() {
    return Boolean(this.div.dataset.ready);
  }

  /** Whether Plotly has drawn it in the colours of the theme as it is now. */
  get isInTheme() {
    return Boolean(this.#shape?.startsWith(themeOf(this.div).key));
  }

  /**
   * The room that a figure takes, before Plotly is there to draw it: nothing below it jumps.
   *
   * @param {Figure} figure
   */
  keepRoom(figure) {
    if (this.isReady) return;
    const { height, meta } = fitting(figure).layout;
    this.div.style.height = `${height}px`;
    this.words.innerHTML = meta.words ?? "";
  }

  /**
   * Only the newest figure is drawn; those that came while the browser was busy are skipped.
   *
   * @param {Delivery} delivery
   * @returns {Promise<void>} until it is drawn
   */
  async deliver(delivery) {
    const { same, after = 0 } = delivery.figure.layout.meta;
    if (after && after < this.#after) return; // a slider has been moved since
    this.#after = after;
    if (same && same === (this.#next ?? this.#shown)?.figure.layout.meta.same) return;
    this.#next = delivery;
    if (this.#isOnScreen || !this.isReady) return this.#draw();
    const since = performance.now() - this.#unseenAt;
    this.#unseen ??= setTimeout(
      () => {
        this.#unseen = undefined;
        this.#unseenAt = performance.now();
        this.#draw();
      },
      Math.max(UNSEEN_EVERY - since, 0),
    );
  }

  /** Whether marks stand elsewhere than Plotly knows. */
  get isAhead() {
    return this.#isAhead;
  }

  /** Let Plotly hear where the marks are, so that hover, zoom and files have the values that are seen. */
  async settle() {
    clearTimeout(this.#settling);
    if (!this.#isAhead || this.#isDrawing || !this.#shown) return;
    this.#isDrawing = true;
    try {
      await this.#react(window.Plotly, fitting(this.#shown.figure));
    } finally {
      this.#isDrawing = false;
    }
    await this.#draw();
  }

  /** Draw the last figure once more, axes and all. */
  async redraw() {
    this.#shape = undefined;
    this.#next ??= this.#shown;
    await this.#draw();
  }

  /** The colour behind it. */
  get paper() {
    return themeOf(this.div).paper;
  }

  /** What is seen, as an image. */
  async picture() {
    await this.settle();
    return pictureOf(this.div, this.words.innerHTML, this.paper);
  }

  /** The chart has left the page. */
  remove() {
    this.resizing.disconnect();
    this.seeing.disconnect();
    clearTimeout(this.#settling);
    clearTimeout(this.#unseen);
    phone.removeEventListener("change", this.#fitPhone);
    removeEventListener("resize", this.#fitWindow);
    window.Plotly?.purge(this.div);
  }

  #fitPhone = () => {
    if (this.#shown?.figure.layout.meta.narrow) this.redraw();
  };

  #fitWindow = () => {
    if (this.#shown?.figure.layout.meta.fit) this.redraw();
  };

  async #draw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    try {
      while (this.#next) {
        const { figure, url } = this.#next;
        this.#shown = this.#next;
        this.#next = undefined;
        const plotly = await loadPlotly(url);
        if (!this.div.isConnected) return;
        await this.#show(plotly, fitting(figure));
      }
    } finally {
      this.#isDrawing = false;
    }
  }

  /**
   * @param {Plotly} plotly
   * @param {Figure} figure
   */
  async #show(plotly, figure) {
    const { div } = this;
    const { alt, words = "", trail } = figure.layout.meta;
    div.style.height = `${figure.layout.height}px`;
    div.setAttribute("aria-label", alt);
    if (this.words.innerHTML !== words) this.words.innerHTML = words;
    await this.#plot(plotly, figure);
    if (trail) unroll(div, trail);
    this.saveButton.disabled = !figure.data.length; // there is nothing to save
    if (!this.isReady) {
      div.dataset.ready = "true";
      for (const each of [this.words, div.closest(".stElementContainer")]) each?.setAttribute("data-drawn", "");
      this.#listen();
    }
    div.dataset.updates = String(Number(div.dataset.updates ?? 0) + 1);
  }

  /**
   * Where only data moved, the axes need not be drawn again, nor what a figure says stands still: the marks are moved
   * without Plotly, or with its quick way where it must know, or where a mark is not known here.
   *
   * @param {Plotly} plotly
   * @param {Figure} figure
   */
  async #plot(plotly, figure) {
    const { div } = this;
    const { data, layout } = figure;
    const { still } = layout.meta;
    const isStill = (/** @type {Trace} */ { type }) => WHOLE.has(type) && Boolean(still) && still === this.#still;
    if (shapeOf(div, figure) !== this.#shape) return this.#react(plotly, figure);
    if (!this.#isWatched && this.#move(data, isStill)) return this.#waitToSettle(layout.meta.trail?.seconds ?? 0);
    const moving = data.flatMap((trace, index) => (WHOLE.has(trace.type) ? [] : [index]));
    if (this.#isAhead || !data.every((trace) => !WHOLE.has(trace.type) || isStill(trace))) {
      return this.#react(plotly, figure);
    }
    const resting = [...div.querySelectorAll(".contourlayer")].map((layer) => ({ layer, plot: layer.parentElement }));
    const moved = data.filter((trace) => !WHOLE.has(trace.type));
    await plotly.animate(div, { data: moved, traces: moving }, AT_ONCE);
    for (const { layer, plot } of resting) plot?.prepend(layer); // Plotly takes it away: contours cannot be animated
    this.#mover = undefined;
    this.#known = data;
  }

  /**
   * @param {Plotly} plotly
   * @param {Figure} figure
   */
  async #react(plotly, figure) {
    const { div } = this;
    const { data, layout } = figure;
    const { template, scales } = themeOf(div);
    const { meta } = layout;
    const coloraxis = meta.scale && { coloraxis: { ...layout.coloraxis, colorscale: scales[meta.scale] } };
    const zoomed = this.zoom.keep(div, layout);
    const shape = shapeOf(div, figure);
    this.#isAhead = false;
    await plotly.react(div, data, { ...layout, ...zoomed, ...coloraxis, template, autosize: true }, CONFIG);
    this.#mover = undefined;
    this.#known = data;
    this.#shape = shape;
    this.#still = meta.still;
  }

  /** Whether a reader looks closely: Plotly must know every value, and may be in the middle of something. */
  get #isWatched() {
    return this.#isHovered || Boolean(this.div._dragging || this.div.querySelector(".hoverlayer")?.hasChildNodes());
  }

  /**
   * @param {Trace[]} data
   * @param {(trace: Trace) => boolean} isStill
   */
  #move(data, isStill) {
    this.#mover ??= new MarkMover(this.div, this.#known);
    const moved = this.#mover.move(data, isStill);
    this.#isAhead ||= moved;
    return moved;
  }

  /** @param {number} seconds that a line is still on its way to appear: Plotly would show all of it */
  #waitToSettle(seconds) {
    clearTimeout(this.#settling);
    const now = performance.now();
    const apart = now - this.#movedAt;
    this.#movedAt = now;
    const rest = apart < PAUSE ? Math.min(SETTLE + 2 * apart, PAUSE) : SETTLE;
    // Off the screen the next figure comes later: while a run moves, Plotly must not draw what nobody sees.
    const wait = rest + 1000 * seconds + (this.#isOnScreen ? 0 : UNSEEN_EVERY);
    this.#settling = setTimeout(() => this.settle(), wait);
  }

  #listen() {
    this.div.on("plotly_afterplot", () => {
      this.#mover = undefined;
    });
    this.zoom.watch(this.div, () => this.redraw());
    this.div.on("plotly_click", ({ points: [point] }) => {
      if (point) this.onClick?.({ curve: point.curveNumber, x: point.x, y: point.y });
    });
  }
}
