// A slider that tells its value while it is being moved: one message at a time, and then the newest value. With a
// shortcut its charts follow past Streamlit, which hears of the value when the slider rests or is left.

const PATIENCE = 1000; // milliseconds until a message that was not answered is sent again, then twice as many, and so on
const REST = 200; // milliseconds without a move

let newest = 0; // move of all sliders: its time in milliseconds, which its message and its figures carry
const states = new Map(); // by key: a move that was not answered before its page was left is told when it is back
const untold = new Map(); // values that Streamlit has not answered yet, by the key of their slider
let drawn = 0; // the newest move that figures were asked for
let drawing = false;

// Figures for the sliders as they are now.
async function drawAhead({ url, charts, plotly }) {
  if (drawing) return;
  drawing = true;
  try {
    const { deliverAll } = await import(new URL(charts, location.origin));
    while (drawn !== newest && untold.size) {
      drawn = newest;
      const answer = await fetch(`${url}?${new URLSearchParams([...untold])}`);
      if (!answer.ok) return; // the figures come with Streamlit's answer
      await deliverAll(await answer.json(), plotly, drawn);
      await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    console.warn(error);
  } finally {
    drawing = false;
  }
}

function shown({ log, step }, value) {
  if (log) return String(Number(value.toPrecision(3)));
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const rounded = value.toFixed(decimals);
  return (Math.abs(value - rounded) < 1e-9 ? rounded : value.toFixed(decimals + 2)).replace("-", "−");
}

export function liveSlider({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bnviz-slider");
  const [input, output] = [root.querySelector("input"), root.querySelector(".bnviz-slider-value")];
  const { key, label, low, high, value, step, log, shortcut } = data;
  if (!states.has(key)) states.set(key, { sent: undefined, moved: undefined, wanted: undefined, rest: undefined });
  const state = states.get(key);
  const mounted = root.bnvizSlider !== state; // just now
  root.bnvizSlider = state;
  const place = (v) => (log ? Math.log10(v) : v); // on the input's own scale
  const tell = (v) => {
    output.textContent = shown(data, v);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const send = (patience = PATIENCE) => {
    state.sent = state.moved;
    setTriggerValue("moved", { at: state.moved, value: state.wanted });
    clearTimeout(state.timer);
    state.timer = setTimeout(() => send(2 * patience), patience); // the newest value, until it is answered
  };
  const rest = () => {
    clearTimeout(state.rest);
    state.rest = undefined;
    if (state.sent === undefined && state.wanted !== undefined) send();
  };
  const settle = () => {
    clearTimeout(state.timer);
    const newer = state.moved !== state.sent;
    state.sent = undefined;
    if (!newer) {
      state.wanted = undefined;
      untold.delete(key);
    } else if (state.rest === undefined) {
      send();
    }
  };
  input.oninput = () => {
    const raw = Number(input.value);
    const v = log ? 10 ** raw : low + Math.round((raw - low) / step) * step;
    state.moved = newest = Math.max(performance.now(), newest + 0.001); // some browsers coarsen their clock
    state.wanted = Number(v.toPrecision(log ? 3 : 10));
    tell(state.wanted);
    if (!shortcut) return rest();
    untold.set(key, state.wanted);
    clearTimeout(state.rest);
    state.rest = setTimeout(rest, REST);
    drawAhead(shortcut);
  };
  input.onblur = input.onpointerup = rest; // whatever is done next must find Streamlit told
  root.querySelector(".bnviz-slider-label").textContent = label;
  input.min = place(low);
  input.max = place(high);
  if (state.sent !== undefined && state.sent === data.told) settle(); // the answer to this message, not to an earlier one
  if (mounted && state.wanted !== undefined) {
    input.value = place(state.wanted);
    tell(state.wanted);
    send();
  }
  if (state.wanted === undefined) {
    const onStep = Math.abs((value - low) / step - Math.round((value - low) / step)) < 1e-6;
    input.step = log || !onStep ? "any" : step; // a value between two steps must not be moved to one of them
    input.value = place(value);
    tell(value);
  }
  return () => {
    if (parentElement.isConnected) return;
    untold.delete(key);
    clearTimeout(state.timer);
    clearTimeout(state.rest);
    state.rest = undefined;
  };
}
