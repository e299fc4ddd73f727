// @ts-check
// Charts with the words above them, as a PNG file.

/** @import { PlotlyDiv } from "./plotly_api.d.ts" */

const LETTER = 6.5; // pixels that a letter is wide on average
const LINE = 20; // pixels that a line of words is high
const SCALE = 2; // pixels of the file for one of the screen

/** @typedef {{ url: string, width: number, height: number }} Picture a PNG image as an address, and its size on the screen */

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
 * A chart and its words.
 *
 * @param {PlotlyDiv} div
 * @param {string} words HTML
 * @param {string} paper colour behind the chart
 * @returns {Promise<Picture>}
 */
export async function pictureOf(div, words, paper) {
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
  const size = { width: div.clientWidth, height: div.clientHeight + above };
  const url = await window.Plotly.toImage({ data: div.data, layout }, { format: "png", ...size, scale: SCALE });
  return { url, ...size };
}

/**
 * Save pictures to one file, side by side.
 *
 * @param {Picture[]} pictures
 * @param {string} paper colour behind them
 * @param {string} name of the file, without its ending
 */
export async function savePictures(pictures, paper, name) {
  const images = await Promise.all(
    pictures.map(async ({ url }) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      return image;
    }),
  );
  const canvas = document.createElement("canvas");
  canvas.width = SCALE * pictures.reduce((sum, { width }) => sum + width, 0);
  canvas.height = SCALE * Math.max(...pictures.map(({ height }) => height));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  let left = 0;
  for (const [index, image] of images.entries()) {
    context.drawImage(image, left, canvas.height - image.height); // plots stand on one line, below words of any height
    left += SCALE * (pictures[index]?.width ?? 0);
  }
  const link = document.createElement("a");
  link.href = canvas.toDataURL("image/png");
  link.download = `${name}.png`;
  link.click();
}
