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

/** @type {WeakMap<Element, (heights: Heights) => void>} how the curve at a place is told; set anew by every rerun */
const curveTellers = new WeakMap();

/**
 * @param {{ data: CurveData, parentElement: HTMLElement, setStateValue: (name: string, value: number[] | null) => void }} component
 */
export function guessCurve({ data, parentElement, setStateValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".bnviz-guess"));
  const { key, x, y, start, points, guide } = data;
  const drawn = (/** @type {Heights} */ heights) => heights.some((height) => height !== null);
  const mounted = curveTellers.has(root);
  curveTellers.set(root, (heights) => setStateValue("curve", drawn(heights) ? completed(heights, start) : null));
  if (mounted) return; // called again by a rerun, or for a change of the theme

  const heights = drawings.get(key) ?? Array.from({ length: points }, () => null);
  drawings.set(key, heights);
  const axes = drawAxes(root, { x, y });
  const across = (/** @type {number} */ i) => x.low + ((x.high - x.low) * i) / (points - 1);
  const index = (/** @type {number} */ at) => ((at - x.low) / (x.high - x.low)) * (points - 1);
  axes.line("guide").move([
    { x: x.low, y: guide.at },
    { x: x.high, y: guide.at },
  ]);
  const curve = axes.line("curve");
  const [handle, begin, note, clear] = /** @type {HTMLElement[]} */ (
    [".handle", ".begin", ".guide-name", ".clear"].map((name) => parentElement.querySelector(name))
  );
  if (!handle || !begin || !note || !clear) return;
  axes.put(begin, { x: x.low, y: start });
  note.textContent = guide.text;
  axes.put(note, { x: x.high, y: guide.at });
  let cursor = STRIDE; // the point that the keyboard sets
  axes.say("min", y.low);
  axes.say("max", y.high);

  function show() {
    const whole = completed(heights, start);
    curve.move(drawn(heights) ? whole.map((height, i) => ({ x: across(i), y: height })) : []);
    const here = whole[cursor] ?? start;
    axes.put(/** @type {HTMLElement} */ (handle), { x: across(cursor), y: here });
    axes.say("now", Number(here.toFixed(2)));
    const state = drawn(heights) ? "" : ", nothing drawn yet";
    axes.plot.setAttribute("aria-valuetext", `${x.name} ${told(across(cursor))}: ${told(here)} ${y.unit}${state}`);
    /** @type {HTMLButtonElement} */ (clear).disabled = !drawn(heights);
  }
  const tell = () => curveTellers.get(root)?.(heights);

  /** @type {{ i: number, y: number }} */
  let last;
  followPointer(axes.plot, {
    begin(event) {
      const place = axes.at(event);
      last = { i: Math.round(index(place.x)), y: place.y };
      stroke(heights, last, last);
      show();
    },
    move(event) {
      const place = axes.at(event);
      const next = { i: index(place.x), y: place.y };
      stroke(heights, last, next);
      last = next;
      show();
    },
    end: tell,
  });

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let rest;
  axes.plot.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const rise = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[event.key];
    if (step === undefined && rise === undefined) return;
    event.preventDefault();
    if (step !== undefined) cursor = within(cursor + step * STRIDE, 0, points - 1);
    if (rise !== undefined) {
      const here = completed(heights, start)[cursor] ?? start;
      heights[cursor] = within(here + rise * RISE * (y.high - y.low), y.low, y.high);
      for (let i = cursor - STRIDE + 1; i < cursor; i++) heights[i] = null; // a straight way to the point before
      clearTimeout(rest);
      rest = setTimeout(tell, REST);
    }
    show();
  };
  clear.onclick = () => {
    heights.fill(null);
    cursor = STRIDE;
    show();
    tell();
    axes.plot.focus(); // the button is about to be disabled
  };
  show();
  if (drawn(heights)) tell(); // the page forgot it while it was away
}
