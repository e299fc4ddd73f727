// A Plotly chart that lives as long as its place on the page: every new figure is drawn into one div, so zoom, hover and
// the div itself outlive every update.

let plotly;
function load(url) {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotly = undefined; // the next figure tries again
      reject(new Error(`could not load ${url}`));
    };
    document.head.append(script);
  });
  return plotly;
}

const CONFIG = { displayModeBar: false, scrollZoom: false }; // the bar covers what it belongs to, and uploads charts
const AT_ONCE = { mode: "immediate", transition: { duration: 0 }, frame: { duration: 0, redraw: false } };

// What depends on the light or dark theme, from the app's own colours. Looked up once for all charts of a redraw.
let theme = { read: -Infinity };
function themed(div) {
  if (performance.now() - theme.read < 500) return theme;
  const style = getComputedStyle(div);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const text = read("--st-text-color", "#31333f");
  const grid = read("--st-border-color", "rgba(128,128,128,0.25)");
  const paper = read("--st-background-color", "#ffffff");
  const font = read("--st-font", "sans-serif");
  const key = [text, grid, paper, font].join();
  if (key === theme.key) {
    theme.read = performance.now();
    return theme;
  }
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
  // Zero has the colour of an empty panel, so that only what differs from it stands out.
  const zero = read("--st-secondary-background-color", "#f4f5f7");
  const scales = {
    diverging: [[0, "#8a3ab9"], [0.5, zero], [1, "#1f9d55"]],
    sequential: [[0, zero], [1, "#c2267e"]],
    batchnorm: [[0, "#e07b00"], [0.5, zero], [1, "#1f77d0"]],
  };
  theme = { key, paper, template: { layout }, scales, read: performance.now() };
  return theme;
}

// Plotly writes the type that it found into the layout; a figure that names none means the usual one.
const kind = (axis) => axis && JSON.stringify([axis.type ?? "linear", axis.title]);

const WHOLE = new Set(["heatmap", "contour", "surface", "scatter3d"]); // know no update of their data alone

// On a phone, a figure may be laid out in another way, which its meta names.
const phone = matchMedia("(max-width: 640px)");
const high = ([least, most, beside]) => ({ height: Math.min(most, Math.max(least, innerHeight - beside)) });
const fitting = ({ data, layout }) => {
  const { narrow, fit } = layout.meta;
  return { data, layout: { ...layout, ...(fit && high(fit)), ...(phone.matches && narrow) } };
};
phone.addEventListener("change", () => {
  for (const div of divs.values()) if (div.bnvizShown?.figure.layout.meta.narrow) redraw(div);
});
addEventListener("resize", () => {
  for (const div of divs.values()) if (div.bnvizShown?.figure.layout.meta.fit) redraw(div);
});

// What a chart must be drawn anew for: Plotly's quick way moves data, and leaves colours as they were.
const look = ({ type, name, line, marker }) => [type, name, line?.color, line?.dash, marker?.color].filter((part) => typeof part === "string");

// Where only data moved, the axes need not be drawn again: that halves the time. Nor what a figure says stands still.
async function show(div, Plotly, { data, layout }) {
  const { key, template, scales } = themed(div);
  const { meta, ...rest } = layout;
  const shape = key + JSON.stringify(rest) + data.map(look);
  const traces = data.map((_, index) => index).filter((index) => !WHOLE.has(data[index].type));
  const rests = traces.length === data.length || (meta.still && meta.still === div.bnvizStill);
  if (shape === div.bnvizShape && rests) {
    const resting = [...div.querySelectorAll(".contourlayer")].map((layer) => [layer.parentNode, layer]);
    await Plotly.animate(div, { data: traces.map((index) => data[index]), traces }, AT_ONCE);
    for (const [plot, layer] of resting) plot.prepend(layer); // Plotly takes it away, as contours cannot be animated
  } else {
    const themedLayout = { ...layout, template, autosize: true };
    for (const axis of div.bnvizZoomed ?? []) {
      if (kind(layout[axis]) === kind(div.layout[axis])) {
        themedLayout[axis] = { ...layout[axis], range: [...div._fullLayout[axis].range] };
      } else {
        div.bnvizZoomed.delete(axis); // it is gone, or counts something else now
      }
    }
    if (meta.scale) themedLayout.coloraxis.colorscale = scales[meta.scale];
    await Plotly.react(div, data, themedLayout, CONFIG);
    div.bnvizShape = shape;
    div.bnvizStill = meta.still;
  }
  if (meta.trail) unroll(div, meta.trail);
}

// Let the line of one trace appear from its beginning: `at` are the parts of its length that are there by and by.
function unroll(div, { trace, at, seconds }) {
  const traces = [...div.querySelectorAll(".scatterlayer .trace")];
  const line = traces.find((g) => g.__data__?.[0]?.trace?.index === trace)?.querySelector("path.js-line");
  if (!line || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const old of line.getAnimations()) old.cancel();
  line.setAttribute("pathLength", 1);
  line.style.strokeDasharray = "1 1";
  const appearing = line.animate(at.map((share) => ({ strokeDashoffset: 1 - share })), 1000 * seconds);
  appearing.onfinish = () => (line.style.strokeDasharray = "");
}

// Words in lines of at most `most` letters; a tag has no length, an entity such as &amp; is one letter.
function wrapped(words, most) {
  let length = 0;
  return words.replace(/<br>|<[^>]*>|[^<\s]+|\s+/g, (part) => {
    if (part === "<br>") length = 0;
    else if (part[0] !== "<") length += part.replace(/&\w+;/g, "x").length;
    if (length <= most || part[0] === "<") return part;
    length = part.trim().length;
    return `<br>${part.trim()}`;
  });
}

// The chart with the words above it, as a file.
async function save(div) {
  const words = wrapped(div.previousElementSibling.innerHTML, div.clientWidth / 6.5);
  const { margin } = div.layout;
  const above = 20 * (words.split("<br>").length + 1);
  const layout = {
    ...div.layout,
    title: { text: words, font: { size: 12 }, x: 0.01, xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: { t: 14 } },
    margin: { ...margin, t: margin.t + above },
    paper_bgcolor: themed(div).paper,
  };
  const size = { width: div.clientWidth, height: div.clientHeight + above, scale: 2 };
  const link = document.createElement("a");
  link.href = await window.Plotly.toImage({ data: div.data, layout }, { format: "png", ...size });
  link.download = `${div.bnvizKey}.png`;
  link.click();
}

// A reader's zoom lasts until a double click, even when the figure's own range grows meanwhile.
function watch(div) {
  div.bnvizZoomed = new Set();
  div.on("plotly_relayout", (change) => {
    for (const name of Object.keys(change)) {
      const [, axis] = name.match(/^([xy]axis\d*)\.range/) ?? [];
      if (axis) div.bnvizZoomed.add(axis);
    }
  });
  div.on("plotly_doubleclick", () =>
    setTimeout(() => { // after Plotly's own answer to it, which looks like another zoom
      div.bnvizZoomed.clear();
      redraw(div);
    }),
  );
  div.on("plotly_click", (event) => {
    const { curveNumber, x, y } = event.points[0];
    div.bnvizClick?.({ curve: curveNumber, x, y });
  });
}

// Only the newest figure is drawn; those that came while the browser was busy are skipped.
async function draw(div) {
  if (div.bnvizDrawing) return;
  div.bnvizDrawing = true;
  try {
    while (div.bnvizNext) {
      const { figure: given, url } = (div.bnvizShown = div.bnvizNext);
      const figure = fitting(given);
      div.bnvizNext = undefined;
      const Plotly = await load(url);
      if (!div.isConnected) return;
      const { alt, words = "" } = figure.layout.meta;
      const notes = div.previousElementSibling;
      div.style.height = `${figure.layout.height}px`;
      div.setAttribute("aria-label", alt);
      if (notes.innerHTML !== words) notes.innerHTML = words;
      await show(div, Plotly, figure);
      div.nextElementSibling.disabled = !figure.data.length; // there is nothing to save
      if (!div.dataset.ready) {
        div.dataset.ready = "true";
        watch(div);
      }
      div.dataset.updates = Number(div.dataset.updates || 0) + 1;
    }
  } finally {
    div.bnvizDrawing = false;
  }
}

// Draw the last figure once more, axes and all.
function redraw(div) {
  div.bnvizShape = undefined;
  div.bnvizNext ??= div.bnvizShown;
  return draw(div);
}

const divs = new Map(); // the charts on the page, by key
const waiting = new Map(); // figures that came before their chart

function deliver(key, figure, url) {
  const div = divs.get(key);
  if (!div) {
    waiting.set(key, { figure, url });
    return undefined;
  }
  const { same, after = 0 } = figure.layout.meta;
  if (after && after < div.bnvizAfter) return undefined; // a slider has been moved since
  div.bnvizAfter = after;
  if (same && same === (div.bnvizNext ?? div.bnvizShown)?.figure.layout.meta.same) return undefined;
  div.bnvizNext = { figure, url };
  return draw(div);
}

// Figures by the key of their chart; what fails in one leaves the others as they should be. after: the time of the
// move of a slider that they belong to.
export async function deliverAll(figures, url, after) {
  if (after) for (const { layout } of Object.values(figures)) layout.meta.after = after;
  const drawn = await Promise.allSettled(Object.entries(figures).map(([key, figure]) => deliver(key, figure, url)));
  for (const { reason } of drawn) if (reason) throw reason;
}

// The place of one chart: mounted once, and left alone by reruns of the page.
export function chart({ data: { key, url, figure, clickable, savable }, parentElement, setTriggerValue }) {
  const div = parentElement.querySelector(".bnviz-chart");
  div.bnvizClick = clickable ? (point) => setTriggerValue("click", { ...point, at: performance.now() }) : undefined;
  div.bnvizKey = key;
  const button = parentElement.querySelector(".bnviz-save");
  button.hidden = !savable;
  button.onclick = () => div.dataset.ready && save(div);
  divs.set(key, div);
  const next = figure ? { figure, url } : waiting.get(key);
  waiting.delete(key);
  if (next) deliver(key, next.figure, next.url);
  if (!div.bnvizSize) {
    div.bnvizSize = new ResizeObserver(() => {
      if (div.dataset.ready && div.clientWidth) window.Plotly.Plots.resize(div);
    });
    div.bnvizSize.observe(div);
  }
  return () => {
    if (div.isConnected) return; // Streamlit also calls this when new data overtakes the old
    div.bnvizSize.disconnect();
    window.Plotly?.purge(div);
    if (divs.get(key) === div) divs.delete(key);
  };
}

// A chart that stands still follows the theme too.
setInterval(() => {
  for (const div of divs.values()) {
    if (div.dataset.ready && !div.bnvizShape?.startsWith(themed(div).key)) redraw(div);
  }
}, 1000);

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const screen = () => new Promise(requestAnimationFrame); // comes late where the browser is busy, never in a hidden tab

async function ask({ url, plotly }, place, rerun, signal) {
  let seen = "";
  let asked; // the state of the page that is known to be out of date
  const shown = new Map(); // HTML by class
  const show = async ({ version, page, html, figures, rerun: outdated }) => {
    for (const [name, text] of Object.entries(html)) {
      const part = place.querySelector(`.${name}`) ?? document.querySelector(`.${name}`);
      if (part && (shown.get(name) !== text || !part.childNodes.length)) part.innerHTML = text;
      shown.set(name, text);
    }
    if (outdated && asked !== page) rerun((asked = page));
    await deliverAll(figures, plotly);
    seen = version;
  };
  while (!signal.aborted) {
    try {
      const answer = await fetch(`${url}?seen=${seen}`, { signal });
      if (answer.status === 200) {
        await show(await answer.json());
      } else if (answer.status === 205) {
        // The connection was lost, and with it what the server knew of this page; a rerun brings another address.
        await pause(0.5);
        if (!signal.aborted) rerun(performance.now());
        await pause(0.5);
      } else if (answer.status !== 204) {
        throw new Error(`news: ${answer.status}`);
      }
    } catch (error) {
      if (signal.aborted) return;
      console.warn(error);
      await pause(1); // the server is away for a moment, or a figure could not be drawn
    }
    await screen();
  }
}

// Whatever moves on the page: one question after the other, each when the last answer has been drawn.
let follower = { url: "" };
export function follow({ data, parentElement, triggerInPassing }) {
  if (follower.url !== data.url || follower.place !== parentElement) {
    follower.stop?.();
    const controller = new AbortController();
    follower = { url: data.url, place: parentElement, stop: () => controller.abort() };
    ask(data, parentElement, (page) => triggerInPassing("rerun", page), controller.signal);
  }
  return () => {
    if (parentElement.isConnected) return;
    follower.stop?.();
    follower = { url: "" };
  };
}
