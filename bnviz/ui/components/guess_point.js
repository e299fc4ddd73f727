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
  const { key, x, y, along, dots, ringed } = data;
  const mounted = pointTellers.has(root);
  pointTellers.set(root, (places) =>
    setStateValue(
      "points",
      places.map((one) => [one.x, one.y]),
    ),
  );
  if (mounted) return; // called again by a rerun, or for a change of the theme

  const moved = placed.has(key);
  const places = placed.get(key) ?? data.handles.map(place);
  placed.set(key, places);
  const axes = drawAxes(root, { x, y });
  if (along.length) axes.line("guide-curve").move(along.map(place));
  const marks = /** @type {HTMLElement} */ (root.querySelector(".marks"));
  /** @param {string} kind @param {boolean} ring */
  const mark = (kind, ring) => {
    const element = document.createElement("span");
    element.className = ring ? `${kind} ringed` : kind;
    return element;
  };
  const others = dots.map((_, i) => mark("dot", i === ringed));
  const handles = places.map((_, i) => mark("handle", !dots.length && i === ringed));
  marks.replaceChildren(...others, ...handles);
  for (const [i, dot] of dots.entries()) axes.put(/** @type {HTMLElement} */ (others[i]), place(dot));
  let held = 0; // the point that is moved
  axes.say("min", x.low);
  axes.say("max", x.high);

  /** @param {Place} to */
  function move(to) {
    const at = within(to.x, x.low, x.high);
    places[held] = { x: at, y: along.length ? heightAt(along, at) : within(to.y, y.low, y.high) };
    show();
  }
  function show() {
    for (const [i, one] of places.entries()) axes.put(/** @type {HTMLElement} */ (handles[i]), one);
    for (const [i, handle] of handles.entries()) handle.classList.toggle("held", i === held && handles.length > 1);
    const { x: left, y: top } = places[held] ?? { x: 0, y: 0 };
    const which = places.length > 1 ? `point ${held + 1} of ${places.length}: ` : "";
    axes.say("now", Number(left.toFixed(2)));
    axes.plot.setAttribute("aria-valuetext", `${which}${x.name} ${told(left)}, ${y.name} ${told(top)}`);
  }
  const tell = () => pointTellers.get(root)?.(places);

  /** @param {PointerEvent} event */
  function nearest(event) {
    const box = axes.plot.getBoundingClientRect();
    const to = axes.at(event);
    const far = places.map((one) =>
      Math.hypot(((one.x - to.x) / (x.high - x.low)) * box.width, ((one.y - to.y) / (y.high - y.low)) * box.height),
    );
    return far.indexOf(Math.min(...far));
  }
  followPointer(axes.plot, {
    begin(event) {
      held = nearest(event);
      move(axes.at(event));
    },
    move: (event) => move(axes.at(event)),
    end: tell,
  });

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let rest;
  axes.plot.onkeydown = (event) => {
    const [right, up] =
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    const other = { PageDown: 1, PageUp: -1 }[event.key];
    const here = places[held];
    if (!here || (right === undefined && (other === undefined || places.length < 2))) return;
    event.preventDefault();
    if (other !== undefined) {
      held = (held + other + places.length) % places.length;
      return show();
    }
    const share = event.shiftKey ? 10 * NUDGE : NUDGE;
    const along = { x: share * (x.high - x.low) * (right ?? 0), y: share * (y.high - y.low) * (up ?? 0) };
    move({ x: here.x + along.x, y: here.y + along.y });
    clearTimeout(rest);
    rest = setTimeout(tell, REST);
  };
  show();
  if (moved) tell(); // the page forgot it while it was away
}
