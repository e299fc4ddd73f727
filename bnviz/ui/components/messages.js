// What components tell Python, and when Streamlit can hear it. While a page is being left it takes a message as a wish
// for the page that it came from, and forgets the one that was asked for; a message that follows a click within some
// milliseconds makes it forget the click.

const PATIENCE = 10000; // milliseconds for another page to come; then its link led nowhere
const HEARD = 500; // milliseconds until Streamlit has surely heard of a click
const APART = 50; // milliseconds between two messages that have waited

let wanted; // the path of the page that has been asked for; undefined while no other page is awaited
let timer;
let held = []; // the newest message of each component and name
let clicked = -HEARD; // when

// The path of the page for which messages count. After Back the address has changed before that.
const shown = () => (document.querySelector("a[aria-current=page]") ?? location).pathname;

function leave(path) {
  wanted = path;
  clearTimeout(timer);
  timer = setTimeout(stay, PATIENCE);
}

function stay() {
  clearTimeout(timer);
  wanted = undefined;
  const sends = held.map(({ place, send }) => () => place.isConnected && send());
  held = [];
  sends.forEach((send, i) => setTimeout(send, APART * i));
}

function leaving() {
  if (wanted === shown()) {
    clearTimeout(timer);
    wanted = undefined;
    held = []; // nobody is there any more to hear them
  }
  return wanted !== undefined;
}

document.addEventListener(
  "click",
  (event) => {
    clicked = performance.now();
    const link = event.target.closest?.("a[href]");
    if (link?.origin !== location.origin || link.target === "_blank") return;
    if (link.pathname === shown()) stay();
    else leave(link.pathname);
  },
  true,
);
addEventListener("popstate", () => leave(location.pathname));

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
  // At the earliest when a click that is already on its way to the page has been seen.
  const triggerInPassing = (name, value) =>
    setTimeout(() => {
      if (performance.now() < clicked + HEARD) triggerInPassing(name, value);
      else if (place.isConnected) trigger(name, value);
    }, Math.max(0, clicked + HEARD - performance.now()));
  return { ...component, setStateValue: wait(setStateValue), setTriggerValue: trigger, triggerInPassing };
}
