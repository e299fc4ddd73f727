// @ts-check
// The tab's own id, which its session storage keeps, and the visitor's, which the browser keeps for all tabs until its
// storage is cleared.

/** @import { PatientComponent } from "./component.d.ts" */

import { storage } from "./storage.js";

/**
 * An id that is kept, or a new one.
 *
 * @param {"sessionStorage" | "localStorage"} kind
 * @param {string} name
 */
function kept(kind, name) {
  const id = storage(kind).getItem(name) ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  storage(kind).setItem(name, id);
  return id;
}

/**
 * @param {PatientComponent<{ known: string | null, assigned: string | null }>} component known: the id of the tab that
 *   Python has; assigned: another that the tab must take
 */
export function browserIds({ data, setStateValue }) {
  if (data.assigned) storage("sessionStorage").setItem("bnviz-tab", data.assigned);
  const tab = kept("sessionStorage", "bnviz-tab");
  if (tab !== data.known) setStateValue("tab", `${tab} ${kept("localStorage", "bnviz-visitor")}`); // in one message
  return () => {};
}
