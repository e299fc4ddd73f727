// A pad for drawing one digit. The strokes are SVG paths: sharp on every screen, in the colours of the theme.

const UNITS = 28; // the pad is as wide as a digit of MNIST has pixels
const PEN = 2.4; // as wide as most strokes of MNIST are
const FAINT = 16; // grey levels of 255: some browsers add a little noise to what a script reads from a canvas

// The strokes by key of the pad, each as the `d` of its path, oldest first: kept here, not on the page, they outlive
// reruns, and even a visit to another page of the app.
const drawings = new Map();

const rounded = (value) => Math.round(100 * value) / 100;

// A smooth line through the points' midpoints, with the points as control points; a lone point is a dot.
function curve(points) {
  const parts = [`M${points[0]}`];
  for (let i = 1; i < points.length - 1; i++) {
    const [[x, y], [nextX, nextY]] = points.slice(i, i + 2);
    parts.push(`Q${x},${y} ${rounded((x + nextX) / 2)},${rounded((y + nextY) / 2)}`);
  }
  parts.push(points.length > 1 ? `L${points.at(-1)}` : "h0.01");
  return parts.join("");
}

function path(d) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
  element.setAttribute("stroke-width", PEN);
  element.setAttribute("d", d);
  return element;
}

// How much of each of side × side pixels is covered, a byte a pixel, in base64; nothing for an empty pad.
function ink(strokes, side) {
  if (!strokes.length) return "";
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.scale(side / UNITS, side / UNITS);
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const d of strokes) pen.stroke(new Path2D(d));
  const { data } = pen.getImageData(0, 0, side, side);
  let bytes = "";
  for (let i = 3; i < data.length; i += 4) bytes += String.fromCharCode(data[i] < FAINT ? 0 : data[i]);
  return btoa(bytes);
}

// One stroke at a time, by the pointer that began it; a stroke that the system takes back (a resting palm, a gesture of
// its own) is dropped.
function followPointer(svg, finished) {
  let pointer, points, line;

  function add(event) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const [x, y] = [rounded((UNITS * (event.clientX - left)) / width), rounded((UNITS * (event.clientY - top)) / height)];
    const [lastX, lastY] = points.at(-1) ?? [];
    if (x !== lastX || y !== lastY) points.push([x, y]);
  }

  function end(event, keep) {
    if (event.pointerId !== pointer) return;
    pointer = undefined;
    line.remove();
    if (keep) finished(curve(points));
  }

  svg.addEventListener("pointerdown", (event) => {
    if (pointer !== undefined || event.button !== 0) return;
    svg.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    points = [];
    add(event);
    svg.append((line = path(curve(points))));
  });
  svg.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) add(step);
    line.setAttribute("d", curve(points));
  });
  svg.addEventListener("pointerup", (event) => end(event, true));
  svg.addEventListener("pointercancel", (event) => end(event, false));
  svg.addEventListener("lostpointercapture", (event) => end(event, true));
}

export function drawPad({ data: { key, side }, parentElement, setStateValue }) {
  const svg = parentElement.querySelector("svg");
  const mounted = svg.bnvizSend !== undefined;
  svg.bnvizSend = (value) => setStateValue("ink", value);
  if (mounted) return; // called again for a change of the theme

  if (!drawings.has(key)) drawings.set(key, []);
  const strokes = drawings.get(key);
  const [undo, clear] = [".undo", ".clear"].map((name) => parentElement.querySelector(name));

  function show() {
    svg.replaceChildren(...strokes.map(path));
    const drawn = { 0: "empty", 1: "1 stroke" }[strokes.length] ?? `${strokes.length} strokes`;
    svg.setAttribute("aria-label", `Drawing pad: ${drawn}`);
    undo.disabled = clear.disabled = !strokes.length;
  }
  function changed() {
    show();
    svg.bnvizSend(ink(strokes, side));
  }

  followPointer(svg, (d) => changed(strokes.push(d)));
  undo.addEventListener("click", () => changed(strokes.pop()));
  clear.addEventListener("click", () => changed(strokes.splice(0)));
  show();
  if (strokes.length) svg.bnvizSend(ink(strokes, side)); // the page forgot them while the pad was away
}
