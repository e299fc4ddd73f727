// @ts-check
// Points that a reader puts somewhere: one for a guess, or all of a batch that is moved about.

/** @import { Axis, Place } from "./guess_axes.js" */

import { drawAxes, followPointer, REST, told, within } from "./guess_axes.js";

const NUDGE = 0.01; // of an axis, for one press of an arrow key; ten times as much with Shift

/**
 * @typedef {[number, number]} Pair
 * @typedef {{ key: string, x: Axis, y: Axis, handles: Pair[], dots: Pair[], along: Pair[], ringed: number }} PointData
 *   handles: where the points to move are at first; dots: others, which stay; along: the curve that they must lie on,
 *   empty for none; ringed: the dot with a ring, or the handle where there are no dots; -1 for none.
 */

/** Where the handles are, by key: kept here, not on the page, they outlive reruns. @type {Map<string, Place[]>} */
const placed = new Map();

/** @param {Pair} pair @returns {Place} */
const place = ([x, y]) => ({ x, y });

/**
 * The height of a curve, given by its points from left to right.
 * @param {readonly Pair[]} curve @param {number} x
 */
export function heightAt(curve, x) {
  const right = curve.findIndex(([at]) => at >= x);
  const [before, after] = [curve[right - 1], curve[right]];
  if (!after) return curve.at(-1)?.[1] ?? 0;
  if (!before) return after[1];
  return before[1] + ((after[1] - before[1]) * (x - before[0])) / (after[0] - before[0]);
}

/** @type {WeakMap<Element, (places: Place[]) => void>} how the points at a place are told; set anew by every rerun */
const pointTellers = new WeakMap();

/** @param {{ data: PointData, parentElement: HTMLElement, setStateValue: (name: string, value: Pair[]) => void }} component */
export function guessPoint({ data, parentElement, setStateValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".bnviz-guess"));
  const mounted = pointTellers.has(root);
  pointTellers.set(root, (places) =>
    setStateValue(
      "points",
      places.map((one) => [one.x, one.y]),
    ),
  );
  if (mounted) return; // called again by a rerun, or for a change of the theme

  const moved = placed.has(data.key);
  const places = placed.get(data.key) ?? data.handles.map(place);
  placed.set(data.key, places);
  const points = new Points(root, data, places);
  points.show();
  if (moved) points.tell(); // the page forgot it while it was away
}

/** The points of one guess, as they are drawn and moved by hand and by keyboard. */
class Points {
  held = 0; // the point that is moved
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  rest;

  /** @param {HTMLElement} root @param {PointData} data @param {Place[]} places */
  constructor(root, data, places) {
    const { x, along } = data;
    this.root = root;
    this.data = data;
    this.places = places;
    this.axes = drawAxes(root, data);
    if (along.length) this.axes.line("guide-curve").move(along.map(place));
    this.handles = this.drawMarks();
    this.axes.say("min", x.low);
    this.axes.say("max", x.high);
    followPointer(this.axes.plot, {
      begin: (event) => {
        this.held = this.nearest(event);
        this.move(this.axes.at(event));
      },
      move: (event) => this.move(this.axes.at(event)),
      end: () => this.tell(),
    });
    this.axes.plot.onkeydown = (event) => this.press(event);
  }

  /** Draw the dots, which stay, and the handles, which are returned. */
  drawMarks() {
    const { dots, ringed } = this.data;
    /** @param {string} kind @param {boolean} ring */
    const mark = (kind, ring) => {
      const element = document.createElement("span");
      element.className = ring ? `${kind} ringed` : kind;
      return element;
    };
    const others = dots.map((_, i) => mark("dot", i === ringed));
    const handles = this.places.map((_, i) => mark("handle", !dots.length && i === ringed));
    /** @type {HTMLElement} */ (this.root.querySelector(".marks")).replaceChildren(...others, ...handles);
    for (const [i, dot] of dots.entries()) this.axes.put(/** @type {HTMLElement} */ (others[i]), place(dot));
    return handles;
  }

  tell() {
    pointTellers.get(this.root)?.(this.places);
  }

  /** @param {Place} to */
  move(to) {
    const { x, y, along } = this.data;
    const at = within(to.x, x.low, x.high);
    this.places[this.held] = { x: at, y: along.length ? heightAt(along, at) : within(to.y, y.low, y.high) };
    this.show();
  }

  show() {
    const { places, handles, held, axes } = this;
    const { x, y } = this.data;
    for (const [i, one] of places.entries()) axes.put(/** @type {HTMLElement} */ (handles[i]), one);
    for (const [i, handle] of handles.entries()) handle.classList.toggle("held", i === held && handles.length > 1);
    const { x: left, y: top } = places[held] ?? { x: 0, y: 0 };
    const which = places.length > 1 ? `point ${held + 1} of ${places.length}: ` : "";
    axes.say("now", Number(left.toFixed(2)));
    axes.plot.setAttribute("aria-valuetext", `${which}${x.name} ${told(left)}, ${y.name} ${told(top)}`);
  }

  /** @param {PointerEvent} event */
  nearest(event) {
    const { x, y } = this.data;
    const box = this.axes.plot.getBoundingClientRect();
    const to = this.axes.at(event);
    const far = this.places.map((one) =>
      Math.hypot(((one.x - to.x) / (x.high - x.low)) * box.width, ((one.y - to.y) / (y.high - y.low)) * box.height),
    );
    return far.indexOf(Math.min(...far));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { x, y } = this.data;
    const count = this.places.length;
    const [right, up] =
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    const other = { PageDown: 1, PageUp: -1 }[event.key];
    const here = this.places[this.held];
    if (!here || (right === undefined && (other === undefined || count < 2))) return;
    event.preventDefault();
    if (other !== undefined) {
      this.held = (this.held + other + count) % count;
      this.show();
      return;
    }
    const share = event.shiftKey ? 10 * NUDGE : NUDGE;
    const way = { x: share * (x.high - x.low) * (right ?? 0), y: share * (y.high - y.low) * (up ?? 0) };
    this.move({ x: here.x + way.x, y: here.y + way.y });
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.tell(), REST);
  }
}
