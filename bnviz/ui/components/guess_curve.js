// @ts-check
// A curve that a reader draws by hand before a run: its heights at evenly spaced places of the x axis.

/** @import { Axis } from "./guess_axes.js" */

import { drawAxes, followPointer, REST, told, within } from "./guess_axes.js";

const STRIDE = 5; // points from one place that the keyboard sets to the next
const RISE = 0.02; // of the height, for one press of an arrow key

/**
 * @typedef {(number | null)[]} Heights null where nothing has been drawn yet
 * @typedef {{ key: string, x: Axis, y: Axis, start: number, points: number, guide: { at: number, text: string } }} CurveData
 */

/** The drawings by key: kept here, not on the page, they outlive reruns. @type {Map<string, Heights>} */
const drawings = new Map();

/**
 * The whole curve: straight lines between what was drawn, and level on from its ends.
 * @param {Heights} heights @param {number} start
 */
export function completed(heights, start) {
  const known = heights.flatMap((height, i) => (height === null ? [] : [{ i, height }]));
  return heights.map((height, i) => {
    if (height !== null) return height;
    const before = known.filter((one) => one.i < i).at(-1) ?? { i: 0, height: start };
    const after = known.find((one) => one.i > i);
    if (!after) return before.height;
    return before.height + ((after.height - before.height) * (i - before.i)) / (after.i - before.i);
  });
}

/**
 * Draw a straight line from one point to another into the heights.
 * @param {Heights} heights @param {{ i: number, y: number }} from @param {{ i: number, y: number }} to
 */
export function stroke(heights, from, to) {
  const [left, right] = from.i <= to.i ? [from, to] : [to, from];
  for (let i = Math.ceil(left.i); i <= Math.floor(right.i); i++) {
    const share = right.i === left.i ? 1 : (i - left.i) / (right.i - left.i);
    heights[i] = left.y + share * (right.y - left.y);
  }
}

/** @param {Heights} heights */
const drawn = (heights) => heights.some((height) => height !== null);

/** @type {WeakMap<Element, (heights: Heights) => void>} how the curve at a place is told; set anew by every rerun */
const curveTellers = new WeakMap();

/**
 * @param {{ data: CurveData, parentElement: HTMLElement, setStateValue: (name: string, value: number[] | null) => void }} component
 */
export function guessCurve({ data, parentElement, setStateValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".bnviz-guess"));
  const mounted = curveTellers.has(root);
  curveTellers.set(root, (heights) => setStateValue("curve", drawn(heights) ? completed(heights, data.start) : null));
  if (mounted) return; // called again by a rerun, or for a change of the theme

  const heights = drawings.get(data.key) ?? Array.from({ length: data.points }, () => null);
  drawings.set(data.key, heights);
  const [handle, begin, note, clear] = /** @type {HTMLElement[]} */ (
    [".handle", ".begin", ".guide-name", ".clear"].map((name) => parentElement.querySelector(name))
  );
  if (!handle || !begin || !note || !clear) return;
  const curve = new Curve(root, data, heights, { handle, clear: /** @type {HTMLButtonElement} */ (clear) });
  curve.axes.put(begin, { x: data.x.low, y: data.start });
  note.textContent = data.guide.text;
  curve.axes.put(note, { x: data.x.high, y: data.guide.at });
  curve.show();
  if (drawn(heights)) curve.tell(); // the page forgot it while it was away
}

/** The curve of one guess, as it is drawn by hand and by keyboard. */
class Curve {
  cursor = STRIDE; // the point that the keyboard sets
  /** Where the hand was last. */
  last = { i: 0, y: 0 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  rest;

  /**
   * @param {HTMLElement} root @param {CurveData} data @param {Heights} heights
   * @param {{ handle: HTMLElement, clear: HTMLButtonElement }} parts
   */
  constructor(root, data, heights, { handle, clear }) {
    const { x, y, guide } = data;
    this.root = root;
    this.data = data;
    this.heights = heights;
    this.handle = handle;
    this.clear = clear;
    this.axes = drawAxes(root, data);
    this.axes.line("guide").move([
      { x: x.low, y: guide.at },
      { x: x.high, y: guide.at },
    ]);
    this.line = this.axes.line("curve");
    this.axes.say("min", y.low);
    this.axes.say("max", y.high);
    followPointer(this.axes.plot, {
      begin: (event) => this.begin(event),
      move: (event) => this.draw(event),
      end: () => this.tell(),
    });
    this.axes.plot.onkeydown = (event) => this.press(event);
    clear.onclick = () => this.empty();
  }

  tell() {
    curveTellers.get(this.root)?.(this.heights);
  }

  /** @param {number} i */
  across(i) {
    const { x, points } = this.data;
    return x.low + ((x.high - x.low) * i) / (points - 1);
  }

  /** @param {number} at */
  index(at) {
    const { x, points } = this.data;
    return ((at - x.low) / (x.high - x.low)) * (points - 1);
  }

  show() {
    const { heights, axes, cursor } = this;
    const { x, y, start } = this.data;
    const whole = completed(heights, start);
    this.line.move(drawn(heights) ? whole.map((height, i) => ({ x: this.across(i), y: height })) : []);
    const here = whole[cursor] ?? start;
    axes.put(this.handle, { x: this.across(cursor), y: here });
    axes.say("now", Number(here.toFixed(2)));
    const state = drawn(heights) ? "" : ", nothing drawn yet";
    axes.plot.setAttribute("aria-valuetext", `${x.name} ${told(this.across(cursor))}: ${told(here)} ${y.unit}${state}`);
    this.clear.disabled = !drawn(heights);
  }

  /** @param {PointerEvent} event */
  begin(event) {
    const place = this.axes.at(event);
    this.last = { i: Math.round(this.index(place.x)), y: place.y };
    stroke(this.heights, this.last, this.last);
    this.show();
  }

  /** @param {PointerEvent} event */
  draw(event) {
    const place = this.axes.at(event);
    const next = { i: this.index(place.x), y: place.y };
    stroke(this.heights, this.last, next);
    this.last = next;
    this.show();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { heights, cursor } = this;
    const { y, start, points } = this.data;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const rise = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[event.key];
    if (step === undefined && rise === undefined) return;
    event.preventDefault();
    if (step !== undefined) this.cursor = within(cursor + step * STRIDE, 0, points - 1);
    if (rise !== undefined) {
      const here = completed(heights, start)[cursor] ?? start;
      heights[cursor] = within(here + rise * RISE * (y.high - y.low), y.low, y.high);
      for (let i = cursor - STRIDE + 1; i < cursor; i++) heights[i] = null; // a straight way to the point before
      clearTimeout(this.rest);
      this.rest = setTimeout(() => this.tell(), REST);
    }
    this.show();
  }

  empty() {
    this.heights.fill(null);
    this.cursor = STRIDE;
    this.show();
    this.tell();
    this.axes.plot.focus(); // the button is about to be disabled
  }
}
