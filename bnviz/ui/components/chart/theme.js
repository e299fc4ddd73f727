// @ts-check
// What depends on the light or dark theme, from the app's own colours.

const VALID = 500; // milliseconds that a look at the page's styles is good for, so that all charts of a redraw share it

/**
 * @typedef {object} Theme
 * @property {string} key differs where any colour or font does
 * @property {string} paper the colour behind a chart
 * @property {{ layout: object }} template
 * @property {Record<string, [number, string][]>} scales colour scales by name
 */

/** @type {Theme | undefined} */
let theme;
let readAt = -Infinity;

/**
 * The theme as it is now.
 *
 * @param {Element} element any of the page
 * @returns {Theme}
 */
export function themeOf(element) {
  if (theme && performance.now() - readAt < VALID) return theme;
  const style = getComputedStyle(element);
  /** @type {(name: string, otherwise: string) => string} */
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const colors = {
    text: read("--st-text-color", "#31333f"),
    grid: read("--st-border-color", "rgba(128,128,128,0.25)"),
    paper: read("--st-background-color", "#ffffff"),
    panel: read("--st-secondary-background-color", "#f4f5f7"),
    font: read("--st-font", "sans-serif"),
  };
  readAt = performance.now();
  const key = Object.values(colors).join();
  if (key !== theme?.key) theme = { key, paper: colors.paper, template: template(colors), scales: scales(colors) };
  return theme;
}

/** @param {{ text: string, grid: string, paper: string, font: string }} colors */
function template({ text, grid, paper, font }) {
  const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, tickcolor: grid };
  const layout = {
    font: { color: text, family: font, size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: paper, font: { color: text } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: grid, activecolor: text },
    xaxis: axis,
    yaxis: axis,
  };
  return { layout };
}

/**
 * Zero has the colour of an empty panel, so that only what differs from it stands out.
 *
 * @param {{ panel: string }} colors
 * @returns {Theme["scales"]}
 */
function scales({ panel }) {
  return {
    diverging: [
      [0, "#8a3ab9"],
      [0.5, panel],
      [1, "#1f9d55"],
    ],
    sequential: [
      [0, panel],
      [1, "#c2267e"],
    ],
    batchnorm: [
      [0, "#e07b00"],
      [0.5, panel],
      [1, "#1f77d0"],
    ],
  };
}
