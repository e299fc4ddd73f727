// @ts-check
// The cells of a heat map: where they are, in pixels of its picture, and which colour they have.

/** @typedef {[red: number, green: number, blue: number]} Color each 0 to 255 */
/** @typedef {[place: number, color: Color][]} Scale from place 0 to 1 */

/**
 * The colour of a value, between those of the scale around it.
 *
 * @param {Scale} scale
 * @param {number} share where the value lies between the scale's ends; beyond them it has their colour
 * @returns {Color}
 */
export function colorAt(scale, share) {
  const upper = scale.findIndex(([place]) => place >= share);
  const [, last] = /** @type {Scale[number]} */ (scale.at(-1));
  if (upper <= 0) return upper === 0 ? /** @type {Scale[number]} */ (scale[0])[1] : last;
  const [low, from] = /** @type {Scale[number]} */ (scale[upper - 1]);
  const [high, to] = /** @type {Scale[number]} */ (scale[upper]);
  const way = (share - low) / (high - low);
  const mixed = from.map((part, i) => Math.round(part + way * /** @type {number} */ ((to[i] ?? part) - part)));
  return /** @type {Color} */ (mixed);
}

/**
 * Begin and length of every cell along one side, on whole pixels, less the gap between cells.
 *
 * @param {number[]} edges one more than there are cells
 * @param {number} gap
 * @returns {{ at: number, length: number }[]}
 */
export function cellsAlong(edges, gap) {
  const whole = edges.map(Math.round);
  return whole.slice(1).map((edge, i) => {
    const before = /** @type {number} */ (whole[i]);
    const [from, to] = before < edge ? [before, edge] : [edge, before];
    return { at: from + Math.floor(gap / 2), length: to - from - gap };
  });
}
