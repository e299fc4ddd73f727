// @ts-check
// The paths of lines, areas and bars, in the words of SVG and pixels of the plot.

/** @typedef {{ x: number, y: number }} Pixel a place of the plot; not finite where there is no value */

const isSeen = (/** @type {Pixel} */ { x, y }) => Number.isFinite(x) && Number.isFinite(y);

/**
 * The runs of places without a gap between them.
 *
 * @param {Pixel[]} places
 * @param {boolean} connectsGaps
 * @returns {Pixel[][]} none of them empty
 */
export function runs(places, connectsGaps) {
  if (connectsGaps) return [places.filter(isSeen)].filter((run) => run.length);
  /** @type {Pixel[][]} */
  const found = [];
  let isOpen = false;
  for (const place of places) {
    const seen = isSeen(place);
    if (seen && isOpen) found.at(-1)?.push(place);
    else if (seen) found.push([place]);
    isOpen = seen;
  }
  return found;
}

/**
 * A run as a line, straight or in horizontal and then vertical steps.
 *
 * @param {Pixel[]} run
 * @param {boolean} steps
 */
export function line(run, steps) {
  return run.map(({ x, y }, i) => (i === 0 ? `M${x},${y}` : steps ? `H${x}V${y}` : `L${x},${y}`)).join("");
}

/**
 * All runs of a line; one that is a single place has no length.
 *
 * @param {Pixel[][]} all
 * @param {boolean} steps
 */
export const lines = (all, steps) => all.map((run) => (run.length > 1 ? line(run, steps) : "")).join("") || "M0,0Z";

/**
 * The area between runs, which are joined over their gaps, and a horizontal line.
 *
 * @param {Pixel[][]} all
 * @param {boolean} steps
 * @param {number} zero the line's y
 */
export function area(all, steps, zero) {
  const joined = all.map((run, i) => (i ? line(run, steps).replace("M", "L") : line(run, steps))).join("");
  const [first, last] = [all[0]?.[0], all.at(-1)?.at(-1)];
  return first && last ? `${joined}L${last.x},${zero}L${first.x},${zero}Z` : "M0,0Z";
}

/**
 * An edge of a bar, as Plotly places it: a thin bar is never narrower than a pixel, and bars without a gap between them
 * stand on whole pixels.
 *
 * @param {number} edge
 * @param {number} other the opposite edge
 * @param {boolean} isWhole
 */
function crisp(edge, other, isWhole) {
  if (edge === other) return edge;
  if (Math.abs(edge - other) >= 2) return isWhole ? Math.round(edge) : edge;
  return edge > other ? Math.ceil(edge) : Math.floor(edge);
}

/**
 * A bar without an outline.
 *
 * @param {{ left: number, right: number, base: number, end: number }} edges
 * @param {boolean} isWhole whether edges stand on whole pixels
 */
export function bar({ left, right, base, end }, isWhole) {
  if (![left, right, base, end].every(Number.isFinite)) return "M0,0Z";
  const x0 = crisp(left, right, isWhole);
  const x1 = crisp(right, x0, isWhole);
  const y0 = crisp(base, end, isWhole);
  const y1 = crisp(end, y0, isWhole);
  return `M${x0},${y0}V${y1}H${x1}V${y0}Z`;
}
