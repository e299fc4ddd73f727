// @ts-check
// Time that passes when a test says so.

/** @typedef {{ at: number, call: () => void }} Timer */

const REAL = { setTimeout, clearTimeout, performance };

/** Stands in for setTimeout, clearTimeout and performance.now while it is installed. */
export class Clock {
  now = 0;
  /** @type {Set<Timer>} */
  #timers = new Set();

  install() {
    this.now = 0;
    this.#timers.clear();
    const later = (/** @type {() => void} */ call, milliseconds = 0) => {
      const timer = { at: this.now + milliseconds, call };
      this.#timers.add(timer);
      return timer;
    };
    const cancel = (/** @type {Timer} */ timer) => this.#timers.delete(timer);
    Object.assign(globalThis, { setTimeout: later, clearTimeout: cancel, performance: { now: () => this.now } });
  }

  remove() {
    Object.assign(globalThis, REAL);
  }

  /** @param {number} milliseconds */
  pass(milliseconds) {
    const end = this.now + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (!next) break;
      this.#timers.delete(next);
      this.now = next.at;
      next.call();
    }
    this.now = end;
  }
}
