// @ts-check
// A slider that tells its value while it is being moved. With a shortcut its charts follow past Streamlit, which hears
// of the value when the slider rests or is left.

/** @import { PatientComponent } from "./component.d.ts" */
/** @import { Shortcut } from "./draw_ahead.js" */
/** @import { SliderScale } from "./slider_scale.js" */

import { drawAhead, forgetAhead } from "./draw_ahead.js";
import { NewestMove, timeOfMove } from "./newest.js";
import { isOnStep, placeOf, valueAt, written } from "./slider_scale.js";

const REST = 200; // milliseconds without a move

/**
 * @typedef {object} SliderState
 * @property {string} key
 * @property {string} label
 * @property {number} value as Python knows it
 * @property {number | null} told the newest move that Python has heard of
 * @property {Shortcut | null} shortcut
 */
/** @typedef {SliderScale & SliderState} SliderData */

/** @type {Map<string, NewestMove>} by key: a move that was not answered before its page was left is told when it is back */
const moves = new Map();
/** @type {WeakMap<Element, string>} the key of the slider that is mounted at a place */
const mounted = new WeakMap();

/**
 * The moves of the slider with that key.
 *
 * @param {string} key
 */
export function movesOf(key) {
  const known = moves.get(key) ?? new NewestMove();
  moves.set(key, known);
  return known;
}

/** @param {PatientComponent<SliderData>} component */
export function liveSlider({ data, parentElement, setTriggerValue }) {
  const { key, label, low, high, value, step, shortcut } = data;
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".bnviz-slider"));
  const input = /** @type {HTMLInputElement} */ (root.querySelector("input"));
  const output = /** @type {HTMLElement} */ (root.querySelector(".bnviz-slider-value"));
  const move = movesOf(key);
  move.tell = (newest) => setTriggerValue("moved", newest);

  /** @param {number} chosen */
  const say = (chosen) => {
    output.textContent = written(data, chosen);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  /** @param {number} chosen */
  const show = (chosen) => {
    input.value = String(placeOf(data, chosen));
    say(chosen);
  };

  input.oninput = () => {
    const newest = { at: timeOfMove(), value: valueAt(data, Number(input.value)) };
    say(newest.value);
    move.make(newest, shortcut ? REST : 0);
    if (shortcut) drawAhead(shortcut, key, newest);
  };
  input.onblur = input.onpointerup = () => move.flush(); // whatever is done next must find Streamlit told
  /** @type {HTMLElement} */ (root.querySelector(".bnviz-slider-label")).textContent = label;
  input.min = String(placeOf(data, low));
  input.max = String(placeOf(data, high));

  move.answered(data.told ?? undefined);
  if (!move.unanswered) {
    forgetAhead(key);
    input.step = isOnStep(data, value) ? String(step) : "any"; // a value between two steps must not be moved to one of them
    show(value);
  } else if (mounted.get(root) !== key) {
    show(move.unanswered.value);
    move.resend();
  }
  mounted.set(root, key);
  return () => {
    if (parentElement.isConnected) return;
    forgetAhead(key);
    move.suspend();
  };
}
