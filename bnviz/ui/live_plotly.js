// A Plotly chart that lives as long as its place on the page: every new figure goes through Plotly.react on one div,
// so zoom, hover and the div itself outlive every update.

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

const CONFIG = { displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "toImage", "autoScale2d", "resetScale2d"], scrollZoom: false };
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
  };
  theme = { key, template: { layout }, scales, read: performance.now() };
  return theme;
}

// Where only data moved, the axes need not be drawn again: that halves the time. Heatmaps know no such update.
async function show(div, Plotly, { data, layout }) {
  const { key, template, scales } = themed(div);
  const { meta, ...rest } = layout;
  const shape = key + JSON.stringify(rest) + data.map((trace) => trace.type + trace.name);
  if (shape === div.bnvizShape && data.every((trace) => trace.type !== "heatmap")) {
    await Plotly.animate(div, { data, traces: data.map((_, index) => index) }, AT_ONCE);
  } else {
    const themedLayout = { ...layout, template, autosize: true };
    for (const axis of div.bnvizZoomed ?? []) {
      themedLayout[axis] = { ...layout[axis], range: [...div._fullLayout[axis].range] };
    }
    if (meta.scale) themedLayout.coloraxis.colorscale = scales[meta.scale];
    await Plotly.react(div, data, themedLayout, CONFIG);
    div.bnvizShape = shape;
  }
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
  div.on("plotly_doubleclick", () => {
    div.bnvizZoomed.clear();
    div.bnvizShape = undefined; // the next figure brings its own ranges back
  });
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
      const { figure, url } = div.bnvizNext;
      div.bnvizNext = undefined;
      const Plotly = await load(url);
      if (!div.isConnected) return;
      const { alt, words = "" } = figure.layout.meta;
      const notes = div.previousElementSibling;
      div.style.height = `${figure.layout.height}px`;
      div.setAttribute("aria-label", alt);
      if (notes.innerHTML !== words) notes.innerHTML = words;
      await show(div, Plotly, figure);
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

const divs = new Map(); // the charts on the page, by key
const waiting = new Map(); // figures that came before their chart

function deliver(key, figure, url) {
  const div = divs.get(key);
  if (!div) {
    waiting.set(key, { figure, url });
    return undefined;
  }
  div.bnvizNext = { figure, url };
  return draw(div);
}

// The place of one chart: mounted once, and left alone by reruns of the page.
export function chart({ data: { key, url, figure }, parentElement, setTriggerValue }) {
  const div = parentElement.querySelector(".bnviz-chart");
  div.bnvizClick = (point) => setTriggerValue("click", point);
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

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const screen = () => new Promise(requestAnimationFrame); // comes late where the browser is busy, never in a hidden tab

async function ask({ url, plotly }, place, rerun, signal) {
  let seen = "";
  const shown = new Map(); // HTML by class
  let asked; // the state of the page that is known to be out of date
  while (!signal.aborted) {
    const answer = await fetch(`${url}?seen=${seen}`, { signal }).catch(() => undefined);
    if (answer?.status === 404) return; // another connection: the page will run again, with another address
    if (answer?.status === 200) {
      const news = await answer.json();
      seen = news.version;
      for (const [name, html] of Object.entries(news.html)) {
        if (shown.get(name) !== html) place.querySelector(`.${name}`).innerHTML = html;
        shown.set(name, html);
      }
      await Promise.all(Object.entries(news.figures).map(([key, figure]) => deliver(key, figure, plotly)));
      if (news.rerun && asked !== news.page) rerun((asked = news.page));
    } else if (answer?.status !== 204 && !signal.aborted) {
      await pause(1); // the server is away for a moment
    }
    await screen();
  }
}

// Whatever moves on the page: one question after the other, each when the last answer has been drawn.
let follower = { url: "" };
export function follow({ data, parentElement, setTriggerValue }) {
  if (follower.url !== data.url || follower.place !== parentElement) {
    follower.stop?.();
    const controller = new AbortController();
    follower = { url: data.url, place: parentElement, stop: () => controller.abort() };
    ask(data, parentElement, (page) => setTriggerValue("rerun", page), controller.signal);
  }
  return () => {
    if (parentElement.isConnected) return;
    follower.stop?.();
    follower = { url: "" };
  };
}
