// @ts-check
// A figure as this screen wants it: as high as fits the window, and on a phone laid out in another way.

/** @import { Figure } from "./figure.d.ts" */

export const phone = matchMedia("(max-width: 640px)");

/**
 * The figure as this screen wants it: as high as fits the window, and on a phone laid out in another way; its meta says
 * how.
 *
 * @param {Figure} figure
 * @returns {Figure}
 */
export function fitting({ data, layout }) {
  const { fit, narrow } = layout.meta;
  const height = fit ? Math.min(fit[1], Math.max(fit[0], innerHeight - fit[2])) : layout.height;
  return { data, layout: { ...layout, height, ...(phone.matches && narrow) } };
}
