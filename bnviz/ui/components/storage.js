// @ts-check
// The browser's storage; in a frame of another site, where a browser may deny it, memory of the page.

/** What is kept while the page is open. */
class Memory {
  /** @type {Map<string, string>} */
  #values = new Map();

  /** @param {string} name */
  getItem(name) {
    return this.#values.get(name) ?? null;
  }

  /** @param {string} name @param {string} value */
  setItem(name, value) {
    this.#values.set(name, value);
  }
}

/** @type {Map<string, Pick<Storage, "getItem" | "setItem">>} */
const found = new Map();

/**
 * @param {"sessionStorage" | "localStorage"} kind
 * @returns {Pick<Storage, "getItem" | "setItem">}
 */
export function storage(kind) {
  let known = found.get(kind);
  if (known === undefined) {
    try {
      known = window[kind]; // throws where it is denied
    } catch {
      known = new Memory();
    }
    found.set(kind, known);
  }
  return known;
}
