// A slider that tells its value while it is being moved: one message at a time, and then the newest value. With a
// shortcut its charts follow past Streamlit, which hears of the value when the slider rests.

const PATIENCE = 1000; // milliseconds until a message that was not answered is sent again, then twice as many, and so on
const REST = 200; // milliseconds without a move

function shown({ log, step }, value) {
  if (log) return String(Number(value.toPrecision(3)));
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const rounded = value.toFixed(decimals);
  return (Math.abs(value - rounded) < 1e-9 ? rounded : value.toFixed(decimals + 2)).replace("-", "−");
}

export function liveSlider({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bnviz-slider");
  const [input, output] = [root.querySelector("input"), root.querySelector(".bnviz-slider-value")];
  const state = (root.bnvizSlider ??= { sent: undefined, wanted: undefined, ahead: undefined, drawing: false });
  const { label, low, high, value, step, log, shortcut } = data;
  state.value = value; // what Streamlit knows
  const place = (v) => (log ? Math.log10(v) : v); // on the input's own scale
  const tell = (v) => {
    output.textContent = shown(data, v);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const send = (patience = PATIENCE) => {
    state.sent = state.wanted;
    setTriggerValue("moved", state.sent);
    clearTimeout(state.timer);
    state.timer = setTimeout(() => send(2 * patience), patience); // the newest value, until it is answered
  };
  const settle = () => {
    const newer = state.wanted !== state.sent;
    state.sent = undefined;
    if (newer) send();
    else state.wanted = state.ahead = undefined;
  };
  const rest = () => {
    if (state.sent !== undefined) return; // its answer goes on with the newest value
    if (state.wanted === state.value) state.wanted = undefined; // there and back: no answer would come
    else send();
  };
  const drawAhead = async () => {
    if (state.drawing) return;
    state.drawing = true;
    try {
      const { deliverAll } = await import(new URL(shortcut.charts, location.origin));
      for (let drawn; state.ahead !== undefined && state.ahead !== drawn; ) {
        drawn = state.ahead;
        const answer = await fetch(`${shortcut.url}?${new URLSearchParams({ key: shortcut.key, value: drawn })}`);
        const figures = answer.ok ? await answer.json() : {}; // else they come with the next rerun
        if (state.ahead !== undefined) await deliverAll(figures, shortcut.plotly); // a rerun has not overtaken them
        await new Promise(requestAnimationFrame);
      }
    } catch (error) {
      console.warn(error);
    } finally {
      state.drawing = false;
    }
  };
  input.oninput = () => {
    const raw = Number(input.value);
    const v = log ? 10 ** raw : low + Math.round((raw - low) / step) * step;
    state.wanted = Number(v.toPrecision(log ? 3 : 10));
    tell(state.wanted);
    clearTimeout(state.rest);
    if (shortcut) {
      state.ahead = state.wanted;
      state.rest = setTimeout(rest, REST);
      drawAhead();
    } else {
      rest();
    }
  };
  root.querySelector(".bnviz-slider-label").textContent = label;
  input.min = place(low);
  input.max = place(high);
  if (state.sent !== undefined && state.sent === data.told) { // the answer to this message, not to an earlier one
    clearTimeout(state.timer);
    settle();
  }
  if (state.wanted === undefined) {
    const onStep = Math.abs((value - low) / step - Math.round((value - low) / step)) < 1e-6;
    input.step = log || !onStep ? "any" : step; // a value between two steps must not be moved to one of them
    input.value = place(value);
    tell(value);
  }
  return () => {};
}
