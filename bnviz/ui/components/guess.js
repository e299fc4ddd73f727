// @ts-check
// A guess by hand: a curve that is drawn before a run, and points that are put somewhere.

const STRIDE = 5; // points of a curve from one place that the keyboard sets to the next
const RISE = 0.02; // of the height, for one press of an arrow key on a curve
const NUDGE = 0.01; // of an axis, for one press of an arrow key on a point; ten times as much with Shift
const REST = 300; // milliseconds after the last key until Python is told
const UNITS = 1000; // width and height of the plot's own coordinates, which the page stretches

/**
 * @typedef {{ name: string, low: number, high: number, unit: string, ticks: number[] }} Axis
 * @typedef {{ x: number, y: number }} Place a place in the units of the axes
 */

/** @param {number} value @param {number} low @param {number} high */
const within = (value, low, high) => Math.min(Math.max(value, low), high);

/** @param {number} value */
const told = (value) =>
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
 * The plot in `root`, drawn anew from its axes.
 * @param {HTMLElement} root
 * @param {{ x: Axis, y: Axis }} axes
 */
function drawAxes(root, { x, y }) {
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
  /** @param {string} side @param {number[]} ticks @param {(value: number) => number} place */
  const label = (side, ticks, place) =>
    /** @type {HTMLElement} */ (root.querySelector(`.${side}`)).replaceChildren(
      ...ticks.map((at) => {
        const span = document.createElement("span");
        span.textContent = told(at);
        span.style.setProperty(side === "across" ? "left" : "top", `${100 * place(at)}%`);
        return span;
      }),
    );
  const say = (/** @type {string} */ what, /** @type {number} */ value) =>
    plot.setAttribute(`aria-value${what}`, `${value}`);
  label("across", x.ticks, across);
  label("down", y.ticks, down);
  const name = (/** @type {Axis} */ axis) => (axis.unit ? `${axis.name} (${axis.unit})` : axis.name);
  /** @type {HTMLElement} */ (root.querySelector(".x-name")).textContent = name(x);
  /** @type {HTMLElement} */ (root.querySelector(".y-name")).textContent = name(y);

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
function followPointer(plot, { begin, move, end }) {
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

// -- a curve ------------------------------------------------------------------------------------------------------------

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

// -- points -------------------------------------------------------------------------------------------------------------

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
