// @ts-check
// A slider over the kept moments of a run, whose right end is now. It tells where it is while it is being moved.

/** @import { PatientComponent } from "./component.d.ts" */

import { NewestMove, timeOfMove } from "./newest.js";

const NOW = -1;
const LOOK_EVERY = 250; // milliseconds between two looks how far the run is

/**
 * @typedef {object} ScrubberData
 * @property {number} every steps between two kept moments
 * @property {number | null} shown the step that the page shows; null for now
 * @property {number | null} told the newest move that Python has heard of
 */

/** @param {number} value */
const digits = (value) => Math.round(value).toLocaleString("en");

/** @param {number} step */
const describe = (step) => (step === NOW ? "now" : `step ${digits(step)}`);

/** How far the run is, as the bar of the status line says it. */
const reached = () =>
  /** @type {HTMLProgressElement | null} */ (document.querySelector(".bnviz-status progress"))?.value ?? 0;

/** One slider, as long as it is mounted. */
class Scrubber {
  move = new NewestMove();
  shown = NOW;
  isHeld = false;
  every = 1;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.input = /** @type {HTMLInputElement} */ (root.querySelector("input"));
    this.button = /** @type {HTMLButtonElement} */ (root.querySelector("button"));
    this.words = /** @type {HTMLElement} */ (root.querySelector(".bnviz-scrubber-shown"));
    this.input.oninput = () => {
      const at = Number(this.input.value);
      this.go(at >= Number(this.input.max) ? NOW : at * this.every);
    };
    this.input.onkeydown = () => this.place(); // a hand may be quicker than the clock
    this.input.onpointerdown = () => {
      this.place();
      this.isHeld = true;
    };
    this.input.onpointerup = this.input.onpointercancel = () => {
      this.isHeld = false;
      this.place();
    };
    this.button.onclick = () => {
      this.go(NOW);
      this.input.value = this.input.max;
      this.input.focus(); // the button is about to be disabled
    };
    const clock = setInterval(() => (root.isConnected ? this.place() : clearInterval(clock)), LOOK_EVERY);
  }

  /** @param {PatientComponent<ScrubberData>} component */
  update({ data, setTriggerValue }) {
    this.every = data.every;
    this.move.tell = (newest) => setTriggerValue("moved", newest);
    this.move.answered(data.told ?? undefined);
    const isLate = data.told !== null && data.told < this.move.at; // it answers an earlier message
    if (!this.move.unanswered && !isLate) this.shown = data.shown ?? NOW;
    this.place();
  }

  /** @param {number} step */
  go(step) {
    this.shown = step;
    this.say();
    this.move.make({ at: timeOfMove(), value: step });
  }

  say() {
    const isPast = this.shown !== NOW;
    const text = `Shown: ${describe(this.shown)}${isPast ? ", as it was" : ""}`;
    if (this.words.textContent !== text) this.words.textContent = text;
    this.words.classList.toggle("past", isPast);
    this.button.disabled = !isPast;
    this.input.setAttribute("aria-valuetext", describe(this.shown));
  }

  /** Put the slider where it belongs, unless a hand is on it. */
  place() {
    if (this.move.unanswered || this.isHeld) return;
    const last = Math.max(1, Math.ceil(reached() / this.every)); // the position of now
    this.input.max = String(last);
    this.input.value = String(this.shown === NOW ? last : this.shown / this.every);
    this.input.disabled = reached() === 0;
    this.say();
  }
}

/** @type {WeakMap<HTMLElement, Scrubber>} */
const mounted = new WeakMap();

/** @param {PatientComponent<ScrubberData>} component */
export function scrubber(component) {
  const root = /** @type {HTMLElement} */ (component.parentElement.querySelector(".bnviz-scrubber"));
  const known = mounted.get(root) ?? new Scrubber(root);
  mounted.set(root, known);
  known.update(component);
  return () => {
    if (!root.isConnected) known.move.suspend();
  };
}
