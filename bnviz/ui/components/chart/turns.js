// @ts-check
// What takes long waits for its turn, so that the browser can show what is done, and hear of a click, in between.

const MOST = 40; // milliseconds of drawing by Plotly before a frame is shown
const SOON = 100; // milliseconds that a chart's first drawing waits at most while the browser is busy with the page ...
const LATER = 1000; // ... and that of a chart off the screen

let spent = 0; // milliseconds since the last frame was shown

/** The next frame: it comes late where the browser is busy, and never in a hidden tab. */
export const nextFrame = () => new Promise(requestAnimationFrame);

/**
 * The browser has nothing else to do, or these milliseconds are over.
 *
 * @param {number} timeout
 */
const idle = (timeout) =>
  new Promise((resolve) => {
    if ("requestIdleCallback" in window) requestIdleCallback(resolve, { timeout });
    else setTimeout(resolve); // Safari
  });

/**
 * The turn of a first drawing: after the controls that come meanwhile, and after what is seen.
 *
 * @param {() => boolean} isSeen
 */
export async function firstTurn(isSeen) {
  await idle(SOON);
  if (!isSeen()) await idle(LATER);
}

/**
 * Draw once there is time left before the next frame.
 *
 * @template T
 * @param {() => Promise<T>} draw
 * @returns {Promise<T>} what it gave
 */
export async function inTurn(draw) {
  while (spent > MOST) await nextFrame();
  if (!spent) {
    requestAnimationFrame(() => {
      spent = 0;
    });
  }
  const begin = performance.now();
  const drawn = draw(); // all of it, before it answers
  spent += performance.now() - begin;
  return drawn;
}
