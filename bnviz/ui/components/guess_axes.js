// @ts-check
// Axes to draw or place a guess on: a plot that stretches with the page, and tick labels that do not.

export const REST = 300; // milliseconds after the last key until Python is told
const UNITS = 1000; // width and height of the plot's own coordinates, which the page stretches

/**
 * @typedef {{ name: string, low: number, high: number, unit: string, ticks: number[] }} Axis
 * @typedef {{ x: number, y: number }} Place a place in the units of the axes
 */

/** @param {number} value @param {number} low @param {number} high */
export const within = (value, low, high) => Math.min(Math.max(value, low), high);

/** @param {number} value */
export const told = (value) =>
  (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toFixed(2)))).replace(
    "-",
    "−",
  );

/** @param {string} name @param {Record<string, string | number>} attributes */
function svgElement(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/**
 * Write the ticks and the name of one axis.
 * @param {HTMLElement} root @param {"across" | "down"} side @param {Axis} axis @param {(value: number) => number} place
 */
function label(root, side, axis, place) {
  const ticks = axis.ticks.map((at) => {
    const span = document.createElement("span");
    span.textContent = told(at);
    span.style.setProperty(side === "across" ? "left" : "top", `${100 * place(at)}%`);
    return span;
  });
  /** @type {HTMLElement} */ (root.querySelector(`.${side}`)).replaceChildren(...ticks);
  const name = /** @type {HTMLElement} */ (root.querySelector(side === "across" ? ".x-name" : ".y-name"));
  name.textContent = axis.unit ? `${axis.name} (${axis.unit})` : axis.name;
}

/**
 * The plot in `root`, drawn anew from its axes.
 * @param {HTMLElement} root
 * @param {{ x: Axis, y: Axis }} axes
 */
export function drawAxes(root, { x, y }) {
  const plot = /** @type {HTMLElement} */ (root.querySelector(".plot"));
  const svg = /** @type {SVGSVGElement} */ (root.querySelector("svg"));
  const across = (/** @type {number} */ value) => (value - x.low) / (x.high - x.low);
  const down = (/** @type {number} */ value) => (y.high - value) / (y.high - y.low);
  /** @param {readonly Place[]} places */
  const path = (places) => places.map((p, i) => `${i ? "L" : "M"}${UNITS * across(p.x)},${UNITS * down(p.y)}`).join("");

  svg.setAttribute("viewBox", `0 0 ${UNITS} ${UNITS}`);
  svg.replaceChildren(
    ...x.ticks.map((at) => svgElement("path", { class: "grid", d: `M${UNITS * across(at)},0V${UNITS}` })),
    ...y.ticks.map((at) => svgElement("path", { class: "grid", d: `M0,${UNITS * down(at)}H${UNITS}` })),
  );
  const say = (/** @type {string} */ what, /** @type {number} */ value) =>
    plot.setAttribute(`aria-value${what}`, `${value}`);
  label(root, "across", x, across);
  label(root, "down", y, down);

  return {
    plot,
    say,
    /**
     * A line through places, which `move` gives another course.
     * @param {string} kind its class
     */
    line(kind) {
      const element = svgElement("path", { class: kind });
      svg.append(element);
      return { move: (/** @type {readonly Place[]} */ places) => element.setAttribute("d", path(places)) };
    },
    /**
     * Put an element of the page at a place.
     * @param {HTMLElement} element @param {Place} place
     */
    put(element, place) {
      element.style.left = `${100 * across(place.x)}%`;
      element.style.top = `${100 * down(place.y)}%`;
    },
    /**
     * Where a pointer is, inside the axes.
     * @param {PointerEvent} event @returns {Place}
     */
    at(event) {
      const box = plot.getBoundingClientRect();
      const [left, top] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      return { x: x.low + within(left, 0, 1) * (x.high - x.low), y: y.high - within(top, 0, 1) * (y.high - y.low) };
    },
  };
}

/**
 * Follow one pointer at a time from where it goes down; what the system takes back (a resting palm) counts too, since
 * it has been seen.
 * @param {HTMLElement} plot
 * @param {{ begin: (event: PointerEvent) => void, move: (event: PointerEvent) => void, end: () => void }} on
 */
export function followPointer(plot, { begin, move, end }) {
  /** @type {number | undefined} */
  let pointer;
  plot.onpointerdown = (event) => {
    if (pointer !== undefined || event.button !== 0) return;
    pointer = event.pointerId;
    plot.setPointerCapture(pointer);
    begin(event);
  };
  plot.onpointermove = (event) => {
    if (event.pointerId !== pointer) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) move(step);
  };
  plot.onlostpointercapture = (event) => {
    if (event.pointerId !== pointer) return;
    pointer = undefined;
    end();
  };
}
