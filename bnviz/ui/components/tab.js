// @ts-check
// The tab's own id, which its session storage keeps.

/** @import { PatientComponent } from "./component.d.ts" */

import { storage } from "./storage.js";

const NAME = "bnviz-tab";

/**
 * @param {PatientComponent<{ known: string | null, assigned: string | null }>} component known: the id that Python has;
 *   assigned: another that the tab must take
 */
export function tab({ data, setStateValue }) {
  if (data.assigned) storage("sessionStorage").setItem(NAME, data.assigned);
  const id = storage("sessionStorage").getItem(NAME) ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  storage("sessionStorage").setItem(NAME, id);
  if (id !== data.known) setStateValue("tab", id);
  return () => {};
}
