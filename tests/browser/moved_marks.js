// @ts-check
// Compares marks that were moved without Plotly with those that Plotly draws for the same figure.

/** @typedef {{ d: string[], points: string[], image: string | null }} Marks of one trace */
/** @typedef {[x: number, y: number][]} Polyline */

const SHOWN = ".scatterlayer .trace, .barlayer .trace, .heatmaplayer .hm";

/**
 * @param {Element} div
 * @returns {Marks[]}
 */
function marksOf(div) {
  return [...div.querySelectorAll(SHOWN)].map((group) => {
    const all = (/** @type {string} */ selector, /** @type {string} */ name) =>
      [...group.querySelectorAll(selector)].map((element) => element.getAttribute(name) ?? "");
    return {
      d: [all("path.js-line", "d").join(""), all("path.js-fill", "d").join(""), ...all(".point > path", "d")],
      points: all("path.point", "transform").filter((place) => !place.includes("-1e4")),
      image: group.querySelector("image")?.getAttribute("href") ?? group.querySelector("image")?.href.baseVal ?? null,
    };
  });
}

/**
 * The polylines of a path of M, L, H, V and Z.
 *
 * @param {string} d
 */
function polylines(d) {
  /** @type {Polyline[]} */
  const found = [];
  let [x, y] = [0, 0];
  for (const [, word, numbers] of d.matchAll(/([MLHVZ])([^MLHVZ]*)/g)) {
    const values = (numbers?.match(/-?[\d.]+(e-?\d+)?/g) ?? []).map(Number);
    if (word === "Z") continue;
    for (let i = 0; i < values.length; i += word === "H" || word === "V" ? 1 : 2) {
      if (word === "H") x = values[i] ?? 0;
      else if (word === "V") y = values[i] ?? 0;
      else [x, y] = [values[i] ?? 0, values[i + 1] ?? 0];
      if (word === "M" && i === 0) found.push([]);
      found.at(-1)?.push([x, y]);
    }
  }
  return found.filter((line) => line.length > 1);
}

/**
 * How far the farthest corner of one path is from another path.
 *
 * @param {string} one
 * @param {string} other
 */
function distance(one, other) {
  const [corners, lines] = [polylines(one).flat(), polylines(other)];
  return Math.max(
    0,
    ...corners.map(([x, y]) =>
      Math.min(
        ...lines.flatMap((line) =>
          line.slice(1).map(([toX, toY], i) => {
            const [fromX, fromY] = line[i] ?? [0, 0];
            const length = (toX - fromX) ** 2 + (toY - fromY) ** 2;
            const way = length ? ((x - fromX) * (toX - fromX) + (y - fromY) * (toY - fromY)) / length : 0;
            const at = Math.min(1, Math.max(0, way));
            return Math.hypot(x - fromX - at * (toX - fromX), y - fromY - at * (toY - fromY));
          }),
        ),
      ),
    ),
  );
}

/** @param {string} href */
async function pixels(href) {
  const image = new Image();
  image.src = href;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.drawImage(image, 0, 0);
  return pen.getImageData(0, 0, image.width, image.height).data;
}

/**
 * What differs, in words.
 *
 * @param {Marks} moved
 * @param {Marks} drawn
 */
async function differences(moved, drawn) {
  /** @type {string[]} */
  const found = [];
  if (moved.d.length !== drawn.d.length) found.push(`${moved.d.length} paths, not ${drawn.d.length}`);
  moved.d.forEach((d, i) => {
    const other = drawn.d[i] ?? "";
    const apart = Math.max(distance(d, other), distance(other, d));
    if (apart > 1) found.push(`path ${i} is ${apart} pixels away`);
  });
  const places = (/** @type {string} */ place) => (place.match(/-?[\d.]+(e-?\d+)?/g) ?? []).map(Number);
  if (moved.points.length !== drawn.points.length)
    found.push(`${moved.points.length} markers, not ${drawn.points.length}`);
  moved.points.forEach((place, i) => {
    const [[x, y], [drawnX, drawnY]] = [places(place), places(drawn.points[i] ?? "")];
    if (!(Math.hypot((x ?? 0) - (drawnX ?? 0), (y ?? 0) - (drawnY ?? 0)) <= 1)) found.push(`marker ${i} at ${place}`);
  });
  if (moved.image && drawn.image) {
    const [one, other] = await Promise.all([moved.image, drawn.image].map(pixels));
    const apart = one?.reduce((most, value, i) => Math.max(most, Math.abs(value - (other?.[i] ?? 0))), 0);
    if (one?.length !== other?.length || apart === undefined || apart > 2) found.push(`colours ${apart} levels apart`);
  }
  return found;
}

/**
 * Wait until marks have been moved, and compare them with Plotly's.
 *
 * @param {Element & { calcdata: unknown }} div
 * @param {{ isAhead: boolean, settle: () => Promise<void> }} chart
 */
async function compareMovedMarks(div, chart) {
  while (!chart.isAhead) await new Promise(requestAnimationFrame);
  const [moved, known] = [marksOf(div), div.calcdata];
  const settled = chart.settle(); // draws at once, before any newer figure can come
  const drawn = marksOf(div);
  if (div.calcdata === known) return ["Plotly has not drawn"];
  await settled;
  if (!moved.length || moved.length !== drawn.length) return [`${moved.length} traces, not ${drawn.length}`];
  const all = await Promise.all(moved.map((marks, i) => differences(marks, /** @type {Marks} */ (drawn[i]))));
  return all.flatMap((found, i) => found.map((words) => `trace ${i}: ${words}`));
}

Object.assign(window, { compareMovedMarks });
