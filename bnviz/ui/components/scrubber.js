// A slider over the kept moments of a run, whose right end is now. It tells where it is while it is being moved: one
// message at a time, and then the newest place.

const NOW = -1;
const PATIENCE = 500; // milliseconds until a message that was not answered no longer holds up the next
const LOOK_EVERY = 250; // milliseconds between two looks how far the run is

const number = (value) => Math.round(value).toLocaleString("en");

export function scrubber({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bnviz-scrubber");
  const [input, button, words] = ["input", "button", ".bnviz-scrubber-shown"].map((name) => root.querySelector(name));
  const state = (root.bnvizScrubber ??= { sent: undefined, wanted: undefined, shown: NOW });
  state.data = data;
  state.tell = setTriggerValue;

  const reached = () => document.querySelector(".bnviz-status progress")?.value ?? 0;
  const last = () => Math.max(1, Math.ceil(reached() / state.data.every)); // the position of now
  const say = (step) => {
    const past = step !== NOW;
    const text = past ? `Shown: step ${number(step)}, as it was` : "Shown: now";
    if (words.textContent !== text) words.textContent = text;
    words.classList.toggle("past", past);
    button.disabled = !past;
    input.setAttribute("aria-valuetext", past ? `step ${number(step)}` : "now");
  };
  const place = () => {
    if (state.wanted !== undefined || state.held) return; // a hand is on it
    input.max = last();
    input.value = state.shown === NOW ? last() : state.shown / state.data.every;
    input.disabled = reached() === 0;
    say(state.shown);
  };
  const send = () => {
    state.sent = state.last = state.wanted;
    state.tell("moved", state.sent);
    clearTimeout(state.timer);
    state.timer = setTimeout(settle, PATIENCE);
  };
  const settle = () => {
    const newer = state.wanted !== state.sent;
    state.sent = undefined;
    if (newer) send();
    else state.wanted = undefined;
    place();
  };
  const want = (step) => {
    state.wanted = state.shown = step;
    say(step);
    if (state.sent === undefined) send();
  };

  input.oninput = () => {
    const at = Number(input.value);
    want(at >= Number(input.max) ? NOW : at * state.data.every);
  };
  input.onpointerdown = () => (state.held = true);
  input.onpointerup = input.onpointercancel = () => {
    state.held = false;
    place();
  };
  button.onclick = () => {
    want(NOW);
    input.value = input.max;
    input.focus(); // the button is about to be disabled
  };
  if (state.sent !== undefined && state.answers !== data.answers) {
    clearTimeout(state.timer);
    settle();
  }
  state.answers = data.answers;
  const late = state.last !== undefined && state.last !== data.told; // it answers an earlier message
  if (state.wanted === undefined && !late) state.shown = data.shown ?? NOW;
  place();
  clearInterval(state.clock);
  state.clock = setInterval(() => (root.isConnected ? place() : clearInterval(state.clock)), LOOK_EVERY);
  return () => {};
}
