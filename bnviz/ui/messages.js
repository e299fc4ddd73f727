// What components tell Python, and when Streamlit can hear it. While a page is being left it takes a message as a wish
// for the page that it came from, and forgets the one that was asked for; a message that follows a click within some
// milliseconds makes it forget the click.

const PATIENCE = 10000; // milliseconds for another page to come; then its link led nowhere
const BACK = 1000; // the same after Back and Forward, where the address has changed at once and says nothing more
const HEARD = 500; // milliseconds until Streamlit has surely heard of a click

let left; // the path of the page that is being left; undefined while no other page is awaited
let timer;
let held = []; // the newest message of each component and name
let clicked = -HEARD; // when

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
    clicked = performance.now();
    const link = event.target.closest?.("a[href]");
    if (!link?.href.startsWith(`${location.origin}/`) || link.hasAttribute("download")) return;
    if (link.target === "_blank" || event.ctrlKey || event.metaKey || event.shiftKey) return; // it opens elsewhere
    if (link.pathname === location.pathname) stay();
    else leave(PATIENCE);
  },
  true,
);
addEventListener("popstate", () => leave(BACK));

// A component whose messages wait while another page is on its way. What it tells of its own accord, not because of what
// somebody does, goes through triggerInPassing: never right after a click.
export function patient(component) {
  const { parentElement: place, setStateValue, setTriggerValue } = component;
  const wait = (tell) => (name, value) => {
    if (!leaving()) return tell(name, value);
    held = held.filter((other) => other.place !== place || other.name !== name);
    held.push({ place, name, send: () => tell(name, value) });
  };
  const trigger = wait(setTriggerValue);
  const triggerInPassing = (name, value) => {
    const rest = clicked + HEARD - performance.now();
    if (rest > 0) setTimeout(triggerInPassing, rest, name, value);
    else if (place.isConnected) trigger(name, value);
  };
  return { ...component, setStateValue: wait(setStateValue), setTriggerValue: trigger, triggerInPassing };
}
