// @ts-check
// Keys that press the page's own buttons and switches, for whoever stands beside a projector. While they do, the page is
// styled for the last row.

/** @typedef {{ active: boolean, keys: Record<string, string> }} Keys keys: a selector by the key's name */

/** @type {Keys} */
let known = { active: false, keys: {} };
let listening = false;

const TYPING = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable=true]";

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (!known.active || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const { target } = event;
  if (target instanceof Element && target.matches(TYPING)) return;
  const selector = known.keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const found = selector && document.querySelector(selector);
  if (!(found instanceof HTMLElement)) return;
  event.preventDefault(); // space would press the focused button too, and scroll the page
  event.stopPropagation();
  found.click();
}

/** @param {{ data: Keys }} component */
export function keys({ data }) {
  known = data;
  if (!listening) document.addEventListener("keydown", pressed, true);
  listening = true;
  document.body.classList.toggle("bnviz-presenting", data.active);
  return () => {
    if (known !== data) return; // Streamlit also calls this when new data overtake the old
    known = { active: false, keys: {} };
    document.body.classList.remove("bnviz-presenting");
  };
}
