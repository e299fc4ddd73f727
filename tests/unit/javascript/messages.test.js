// @ts-check
// A page that is left, in a browser of which only the parts are there that messages look at.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Clock } from "./clock.js";

/** @import { Component } from "../../../bnviz/ui/components/component.d.ts" */

class Link {
  target = "";
  /** @param {string} pathname */
  constructor(pathname) {
    this.pathname = pathname;
    this.origin = "http://here";
    this.href = this.origin + pathname;
  }
  closest() {
    return this;
  }
}

/** @type {Record<string, (event: object) => void>} */
const listeners = {};
/** @type {(event: string, listener: (event: object) => void) => void} */
const addEventListener = (event, listener) => {
  listeners[event] = listener;
};
const current = new Link("/a");
const browser = {
  document: { addEventListener, querySelector: () => current },
  location: { origin: "http://here", pathname: "/a" },
  Element: Link,
  addEventListener,
};
Object.assign(globalThis, browser);
const { patient } = await import("../../../bnviz/ui/components/messages.js");

const clock = new Clock();
/** @type {unknown[]} */
let told = [];

/** @param {string} path */
const click = (path) => listeners.click?.({ target: new Link(path) });

function component(place = { isConnected: true }) {
  const tell = (/** @type {string} */ name, /** @type {unknown} */ value) => told.push(`${name} ${value}`);
  const mounted = { data: {}, parentElement: place, setStateValue: tell, setTriggerValue: tell };
  return patient(/** @type {Component<object>} */ (/** @type {unknown} */ (mounted)));
}

beforeEach(() => {
  clock.install();
  clock.pass(100_000); // since whatever the test before has clicked
  click("/a"); // the page itself: nobody leaves
  clock.pass(100_000);
  current.pathname = "/a";
  told = [];
});

test("a message is told at once", () => {
  component().setTriggerValue("moved", 1);
  component().setStateValue("ink", 2);
  assert.deepEqual(told, ["moved 1", "ink 2"]);
});

test("while another page is on its way messages wait, and are gone when it has come", () => {
  click("/b");
  component().setTriggerValue("moved", 1);
  current.pathname = "/b";
  component().setTriggerValue("moved", 2);
  clock.pass(100_000);
  assert.deepEqual(told, ["moved 2"]);
});

test("where the page stays after all, the newest of each component and name is told, one after the other", () => {
  const [one, other] = [component(), component()];
  click("/b");
  one.setTriggerValue("moved", 1);
  one.setTriggerValue("moved", 2);
  one.setStateValue("ink", 3);
  other.setTriggerValue("moved", 4);
  click("/a");
  clock.pass(0);
  assert.deepEqual(told, ["moved 2"]);
  clock.pass(49);
  assert.deepEqual(told, ["moved 2"]);
  clock.pass(51);
  assert.deepEqual(told, ["moved 2", "ink 3", "moved 4"]);
});

test("a link that leads nowhere holds messages back for ten seconds", () => {
  click("/nowhere");
  component().setTriggerValue("moved", 1);
  clock.pass(9_999);
  assert.deepEqual(told, []);
  clock.pass(1);
  assert.deepEqual(told, ["moved 1"]);
});

test("Back is waited for too", () => {
  browser.location.pathname = "/b";
  listeners.popstate?.({});
  component().setTriggerValue("moved", 1);
  assert.deepEqual(told, []);
});

test("a component that has left the page has nothing to say", () => {
  const place = { isConnected: true };
  const leaving = component(place);
  click("/b");
  leaving.setTriggerValue("moved", 1);
  place.isConnected = false;
  click("/a");
  clock.pass(1000);
  assert.deepEqual(told, []);
});

test("a link to another site or another window leaves nothing", () => {
  const [away, window] = [new Link("/b"), new Link("/b")];
  away.origin = "http://there";
  window.target = "_blank";
  for (const target of [away, window]) listeners.click?.({ target });
  component().setTriggerValue("moved", 1);
  assert.deepEqual(told, ["moved 1"]);
});

test("what a component tells of its own accord comes half a second after the last click", () => {
  component().triggerInPassing("rerun", 1);
  clock.pass(0);
  assert.deepEqual(told, ["rerun 1"]);
  click("/a");
  clock.pass(400);
  component().triggerInPassing("rerun", 2);
  click("/a");
  clock.pass(499);
  assert.deepEqual(told, ["rerun 1"]);
  clock.pass(1);
  assert.deepEqual(told, ["rerun 1", "rerun 2"]);
});
