// @ts-check
// The numbers of a figure, which travel as the bytes of typed arrays in base64.

/** @import { Values } from "../figure.d.ts" */

const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, i2: Int16Array, i1: Int8Array, u1: Uint8Array };

/**
 * The numbers of an array; undefined for a kind that is not known here.
 *
 * @param {Values | undefined} values
 * @returns {ArrayLike<number> | undefined}
 */
export function decoded(values) {
  if (!values || !("bdata" in values)) return values;
  const kind = KINDS[/** @type {keyof typeof KINDS} */ (values.dtype)];
  if (!kind) return undefined;
  const text = atob(values.bdata);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return new kind(bytes.buffer);
}
