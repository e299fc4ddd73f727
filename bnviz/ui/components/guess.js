// @ts-check
// A guess by hand, which guess.py asks for.

export { guessCurve } from "./guess_curve.js";
export { guessPoint } from "./guess_point.js";
