// @ts-check
// A pad for drawing one digit. The strokes are SVG paths: sharp on every screen, in the colours of the theme.

/** @import { PatientComponent } from "./component.d.ts" */

const UNITS = 28; // the pad is as wide as a digit of MNIST has pixels
const PEN = 2.4; // as wide as most strokes of MNIST are
const FAINT = 16; // grey levels of 255: some browsers add a little noise to what a script reads from a canvas

/** @typedef {[x: number, y: number]} Point in units of the pad */

/**
 * The strokes by key of the pad, each as the `d` of its path, oldest first: kept here, not on the page, they outlive
 * reruns, and even a visit to another page of the app.
 *
 * @type {Map<string, string[]>}
 */
const drawings = new Map();

/** @param {number} value */
const rounded = (value) => Math.round(100 * value) / 100;

/**
 * A smooth line through the points' midpoints, with the points as control points; a lone point is a dot.
 *
 * @param {Point[]} points at least one
 */
export function curve(points) {
  const parts = [`M${points[0]}`];
  points.slice(1, -1).forEach(([x, y], i) => {
    const [nextX, nextY] = /** @type {Point} */ (points[i + 2]);
    parts.push(`Q${x},${y} ${rounded((x + nextX) / 2)},${rounded((y + nextY) / 2)}`);
  });
  parts.push(points.length > 1 ? `L${points.at(-1)}` : "h0.01");
  return parts.join("");
}

/** @param {string} d */
function path(d) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
  element.setAttribute("stroke-width", String(PEN));
  element.setAttribute("d", d);
  return element;
}

/**
 * How much of each of side × side pixels is covered, a byte a pixel, in base64; nothing for an empty pad.
 *
 * @param {string[]} strokes
 * @param {number} side
 */
function ink(strokes, side) {
  if (!strokes.length) return "";
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.scale(side / UNITS, side / UNITS);
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const d of strokes) pen.stroke(new Path2D(d));
  const { data } = pen.getImageData(0, 0, side, side);
  let bytes = "";
  for (let i = 3; i < data.length; i += 4) {
    const covered = data[i] ?? 0;
    bytes += String.fromCharCode(covered < FAINT ? 0 : covered);
  }
  return btoa(bytes);
}

/**
 * One stroke at a time, by the pointer that began it; a stroke that the system takes back (a resting palm, a gesture of
 * its own) is dropped.
 *
 * @param {SVGSVGElement} svg
 * @param {(d: string) => void} finished
 */
function collectStrokes(svg, finished) {
  /** @type {{ pointer: number, points: Point[], line: SVGPathElement } | undefined} */
  let stroke;

  /**
   * @param {Point[]} points
   * @param {PointerEvent} event
   */
  function add(points, { clientX, clientY }) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const [x, y] = [rounded((UNITS * (clientX - left)) / width), rounded((UNITS * (clientY - top)) / height)];
    const [lastX, lastY] = points.at(-1) ?? [];
    if (x !== lastX || y !== lastY) points.push([x, y]);
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} keep
   */
  function end(event, keep) {
    if (!stroke || event.pointerId !== stroke.pointer) return;
    const { points, line } = stroke;
    stroke = undefined;
    line.remove();
    if (keep) finished(curve(points));
  }

  svg.addEventListener("pointerdown", (event) => {
    if (stroke || event.button !== 0) return;
    svg.setPointerCapture(event.pointerId);
    /** @type {Point[]} */
    const points = [];
    add(points, event);
    stroke = { pointer: event.pointerId, points, line: path(curve(points)) };
    svg.append(stroke.line);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!stroke || event.pointerId !== stroke.pointer) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) add(stroke.points, step);
    stroke.line.setAttribute("d", curve(stroke.points));
  });
  svg.addEventListener("pointerup", (event) => end(event, true));
  svg.addEventListener("pointercancel", (event) => end(event, false));
  svg.addEventListener("lostpointercapture", (event) => end(event, true));
}

/** @type {WeakMap<Element, (ink: string) => void>} how the pad at a place tells its ink; set anew by every rerun */
const tellers = new WeakMap();

/** @param {PatientComponent<{ key: string, side: number }>} component side: pixels of the ink that is told */
export function drawPad({ data: { key, side }, parentElement, setStateValue }) {
  const svg = /** @type {SVGSVGElement} */ (parentElement.querySelector("svg"));
  const isMounted = tellers.has(svg);
  tellers.set(svg, (value) => setStateValue("ink", value));
  if (isMounted) return; // called again for a change of the theme

  const strokes = drawings.get(key) ?? [];
  drawings.set(key, strokes);
  const undo = /** @type {HTMLButtonElement} */ (parentElement.querySelector(".undo"));
  const clear = /** @type {HTMLButtonElement} */ (parentElement.querySelector(".clear"));

  function show() {
    svg.replaceChildren(...strokes.map(path));
    const drawn = { 0: "empty", 1: "1 stroke" }[strokes.length] ?? `${strokes.length} strokes`;
    svg.setAttribute("aria-label", `Drawing pad: ${drawn}`);
    undo.disabled = clear.disabled = !strokes.length;
  }
  const tell = () => tellers.get(svg)?.(ink(strokes, side));
  /** @param {() => void} change */
  const edit = (change) => {
    change();
    show();
    tell();
  };

  collectStrokes(svg, (d) => edit(() => strokes.push(d)));
  undo.onclick = () => edit(() => strokes.pop());
  clear.onclick = () => edit(() => strokes.splice(0));
  show();
  if (strokes.length) tell(); // the page forgot them while the pad was away
}
