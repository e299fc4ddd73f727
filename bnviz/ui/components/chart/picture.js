// @ts-check
// A chart with the words above it, as a PNG file.

/** @import { PlotlyDiv } from "./plotly_api.d.ts" */

const LETTER = 6.5; // pixels that a letter is wide on average
const LINE = 20; // pixels that a line of words is high

/**
 * Words in lines of at most so many letters; a tag has no length, an entity such as &amp; is one letter.
 *
 * @param {string} words
 * @param {number} letters
 */
export function wrapped(words, letters) {
  let length = 0;
  return words.replace(/<br>|<[^>]*>|[^<\s]+|\s+/g, (part) => {
    if (part === "<br>") length = 0;
    else if (part[0] !== "<") length += part.replace(/&\w+;/g, "x").length;
    if (length <= letters || part[0] === "<") return part;
    length = part.trim().length;
    return `<br>${part.trim()}`;
  });
}

/**
 * Save a chart to a file.
 *
 * @param {PlotlyDiv} div
 * @param {string} words HTML
 * @param {string} paper colour behind the chart
 * @param {string} name of the file, without its ending
 */
export async function savePicture(div, words, paper, name) {
  const lines = wrapped(words, div.clientWidth / LETTER);
  const { margin } = div.layout;
  const above = LINE * (lines.split("<br>").length + 1);
  const place = { x: 0.01, xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: { t: 14 } };
  const layout = {
    ...div.layout,
    title: { text: lines, font: { size: 12 }, ...place },
    margin: { ...margin, t: (margin?.t ?? 0) + above },
    paper_bgcolor: paper,
  };
  const size = { width: div.clientWidth, height: div.clientHeight + above, scale: 2 };
  const link = document.createElement("a");
  link.href = await window.Plotly.toImage({ data: div.data, layout }, { format: "png", ...size });
  link.download = `${name}.png`;
  link.click();
}
