// @ts-check
// One chart: a div in which every new figure is drawn, so that zoom, hover and the div itself outlive every update.

/** @import { Figure } from "./figure.d.ts" */
/** @import { Plotly, PlotlyDiv } from "./plotly_api.d.ts" */

import { fitting, phone } from "./fitting.js";
import { pictureOf } from "./picture.js";
import { Plot } from "./plot.js";
import { loadPlotly } from "./plotly.js";
import { themeOf } from "./theme.js";
import { unroll } from "./trail.js";
import { firstTurn } from "./turns.js";
import { Zoom } from "./zoom.js";

const SETTLE = 150; // milliseconds without a figure until Plotly hears of marks that were moved without it ...
const PAUSE = 2000; // ... and at most so many where figures come slowly: drawn in between, they would come slower yet
const UNSEEN_EVERY = 500; // milliseconds between two drawings of a chart that is off the screen

/** @typedef {{ figure: Figure, url: string }} Delivery a figure, and where Plotly is found */
/** @typedef {{ curve: number, x: number, y: number }} Point */

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
    this.plot = new Plot(this.div, this.zoom);
    this.resizing = new ResizeObserver(() => {
      if (!this.isReady || !div.clientWidth) return;
      if (this.isAhead) this.redraw();
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
    return this.plot.isInTheme;
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
    return this.plot.isAhead;
  }

  /** Let Plotly hear where the marks are, so that hover, zoom and files have the values that are seen. */
  async settle() {
    clearTimeout(this.#settling);
    if (!this.isAhead || this.#isDrawing || !this.#shown) return;
    this.#isDrawing = true;
    try {
      await this.plot.react(window.Plotly, fitting(this.#shown.figure));
    } finally {
      this.#isDrawing = false;
    }
    await this.#draw();
  }

  /** Draw the last figure once more, axes and all. */
  async redraw() {
    this.plot.drawAnew();
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
        const plotly = await loadPlotly(this.#next.url);
        if (!this.isReady) await firstTurn(() => this.#isOnScreen);
        const { figure } = this.#next;
        this.#shown = this.#next;
        this.#next = undefined;
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
    const isAhead = await this.plot.show(plotly, figure, !this.#isWatched);
    if (isAhead) this.#waitToSettle(trail?.seconds ?? 0);
    if (trail) unroll(div, trail);
    this.saveButton.disabled = !figure.data.length; // there is nothing to save
    if (!this.isReady) {
      div.dataset.ready = "true";
      for (const each of [this.words, div.closest(".stElementContainer")]) each?.setAttribute("data-drawn", "");
      this.#listen();
    }
    div.dataset.updates = String(Number(div.dataset.updates ?? 0) + 1);
  }

  /** Whether a reader looks closely: Plotly must know every value, and may be in the middle of something. */
  get #isWatched() {
    return this.#isHovered || Boolean(this.div._dragging || this.div.querySelector(".hoverlayer")?.hasChildNodes());
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
      this.plot.forgetMarks();
    });
    this.zoom.watch(this.div, () => this.redraw());
    this.div.on("plotly_click", ({ points: [point] }) => {
      if (point) this.onClick?.({ curve: point.curveNumber, x: point.x, y: point.y });
    });
  }
}
