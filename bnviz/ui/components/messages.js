// @ts-check
// What components tell Python, and when Streamlit can hear it. While a page is being left it takes a message as a wish
// for the page that it came from, and forgets the one that was asked for; a message that follows a click within some
// milliseconds makes it forget the click.

/** @import { Component, PatientComponent, Tell } from "./component.d.ts" */

const PATIENCE = 10000; // milliseconds for another page to come; then its link led nowhere
const HEARD = 500; // milliseconds until Streamlit has surely heard of a click
const APART = 50; // milliseconds between two messages that have waited

/** @typedef {{ place: Node, name: string, send: () => void }} HeldMessage */

/** @type {string | undefined} the path of the page that has been asked for */
let wantedPath;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {HeldMessage[]} the newest message of each component and name */
let held = [];
let clickedAt = -HEARD;

/** The path of the page for which messages count. After Back the address has changed before that. */
const shownPath = () =>
  /** @type {HTMLAnchorElement | Location} */ (document.querySelector("a[aria-current=page]") ?? location).pathname;

/** @param {string} path */
function waitForPage(path) {
  wantedPath = path;
  clearTimeout(timer);
  timer = setTimeout(stay, PATIENCE);
}

/** No other page is awaited any more. Returns the messages that have waited. */
function endWaiting() {
  clearTimeout(timer);
  wantedPath = undefined;
  const waited = held;
  held = [];
  return waited;
}

/** The page stays: tell what has waited. */
function stay() {
  endWaiting().forEach(({ place, send }, i) => {
    setTimeout(() => place.isConnected && send(), APART * i);
  });
}

/** Whether the page is being left. Where the other page has come, nobody hears any more what waited. */
function isLeaving() {
  if (wantedPath === shownPath()) endWaiting();
  return wantedPath !== undefined;
}

document.addEventListener(
  "click",
  ({ target }) => {
    clickedAt = performance.now();
    const link = target instanceof Element ? target.closest("a") : null;
    if (!link?.href || link.origin !== location.origin || link.target === "_blank") return;
    if (link.pathname === shownPath()) stay();
    else waitForPage(link.pathname);
  },
  true,
);
addEventListener("popstate", () => waitForPage(location.pathname));

/**
 * A component whose messages wait while another page is on its way; and what goes through triggerInPassing, never comes
 * right after a click.
 *
 * @template Data
 * @param {Component<Data>} component
 * @returns {PatientComponent<Data>}
 */
export function patient(component) {
  const { parentElement: place, setStateValue, setTriggerValue } = component;
  /** @type {(tell: Tell) => Tell} */
  const wait = (tell) => (name, value) => {
    if (!isLeaving()) return tell(name, value);
    held = held.filter((other) => other.place !== place || other.name !== name);
    held.push({ place, name, send: () => tell(name, value) });
  };
  const trigger = wait(setTriggerValue);
  /** @type {Tell} */
  const triggerInPassing = (name, value) => {
    const tellIfQuiet = () => {
      if (performance.now() < clickedAt + HEARD) triggerInPassing(name, value);
      else if (place.isConnected) trigger(name, value);
    };
    // At the earliest when a click that is already on its way to the page has been seen.
    setTimeout(tellIfQuiet, Math.max(0, clickedAt + HEARD - performance.now()));
  };
  return { ...component, setStateValue: wait(setStateValue), setTriggerValue: trigger, triggerInPassing };
}
