// @ts-check
// The visitor's own id, which the browser keeps for all tabs until its storage is cleared.

/** @import { PatientComponent } from "./component.d.ts" */

import { storage } from "./storage.js";

const NAME = "bnviz-visitor";

/** @param {PatientComponent<{ known: string | null }>} component known: the id that Python has */
export function visitor({ data, setStateValue }) {
  const id = storage("localStorage").getItem(NAME) ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  storage("localStorage").setItem(NAME, id);
  if (id !== data.known) setStateValue("visitor", id);
  return () => {};
}
