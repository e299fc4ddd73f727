// What components tell Python, unless their page is being left: Streamlit takes each message as a wish for the page it
// was sent from, and would forget the one that was asked for a moment before.

const PATIENCE = 10000; // milliseconds for another page to come; then its link led nowhere
const BACK = 1000; // the same after Back and Forward, where the address has changed at once and says nothing more

let left; // the path of the page that is being left; undefined while no other page is awaited
let timer;
let held = []; // the newest message of each component and name

function leave(patience) {
  left = location.pathname;
  clearTimeout(timer);
  timer = setTimeout(stay, patience);
}

function stay() {
  clearTimeout(timer);
  left = undefined;
  const waiting = held.filter(({ place }) => place.isConnected);
  held = [];
  for (const { send } of waiting) send();
}

function leaving() {
  if (left !== undefined && left !== location.pathname) {
    clearTimeout(timer);
    left = undefined;
    held = []; // nobody is there any more to hear them
  }
  return left !== undefined;
}

document.addEventListener(
  "click",
  (event) => {
    const link = event.target.closest?.("a[href]");
    if (link?.origin !== location.origin || link.target === "_blank") return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // it opens elsewhere
    if (link.pathname === location.pathname) stay();
    else leave(PATIENCE);
  },
  true,
);
addEventListener("popstate", () => leave(BACK));

// A component whose messages wait while another page is on its way.
export function patient(component) {
  const { parentElement: place, setStateValue, setTriggerValue } = component;
  const wait = (tell) => (name, value) => {
    if (!leaving()) return tell(name, value);
    held = held.filter((other) => other.place !== place || other.name !== name);
    held.push({ place, name, send: () => tell(name, value) });
  };
  return { ...component, setStateValue: wait(setStateValue), setTriggerValue: wait(setTriggerValue) };
}
