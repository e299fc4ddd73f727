// @ts-check
// Values of a slider, and the places on its input that stand for them.

/**
 * @typedef {object} SliderScale
 * @property {number} low
 * @property {number} high
 * @property {number} step
 * @property {boolean} log whether the way along the slider is the value's logarithm
 */

const DIGITS = 3; // of a value on a logarithmic scale, which has no steps

/**
 * @param {SliderScale} scale
 * @param {number} value
 */
export const placeOf = ({ log }, value) => (log ? Math.log10(value) : value);

/**
 * The value at a place, on the nearest step.
 *
 * @param {SliderScale} scale
 * @param {number} place
 */
export function valueAt({ log, low, step }, place) {
  if (log) return Number((10 ** place).toPrecision(DIGITS));
  return Number((low + Math.round((place - low) / step) * step).toPrecision(10));
}

/**
 * Whether a hand can reach the value; others are set by buttons and addresses.
 *
 * @param {SliderScale} scale
 * @param {number} value
 */
export function isOnStep({ log, low, step }, value) {
  const steps = (value - low) / step;
  return !log && Math.abs(steps - Math.round(steps)) < 1e-6;
}

/**
 * The value in as many digits as steps tell apart, and two more between two steps.
 *
 * @param {SliderScale} scale
 * @param {number} value
 */
export function written({ log, step }, value) {
  if (log) return String(Number(value.toPrecision(DIGITS)));
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const rounded = value.toFixed(decimals);
  const isExact = Math.abs(value - Number(rounded)) < 1e-9;
  return (isExact ? rounded : value.toFixed(decimals + 2)).replace("-", "−");
}
