// @ts-check
// Links between pages of the app whose address has two parts, such as /story/3: Streamlit's own links are relative to
// the address, and would lead to /story/story/3.

/**
 * @typedef {object} Link
 * @property {string} href
 * @property {string} text
 * @property {string} [name] what a screen reader says in place of the text
 * @property {string} [kind] its class
 * @property {boolean} [current] whether it is the page that is shown
 * @property {boolean} [anew] whether the page is loaded anew, with the settings that its address holds
 */

/**
 * Go to another page without loading the app anew: Streamlit follows the address as it does after Back.
 * @param {MouseEvent} event
 */
function go(event) {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!plain || !(event.currentTarget instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  if (event.currentTarget.pathname === location.pathname) return;
  history.pushState({}, "", event.currentTarget.href);
  dispatchEvent(new PopStateEvent("popstate"));
  scrollTo(0, 0);
}

/** @param {Link} link */
function anchor({ href, text, name, kind, current, anew }) {
  const element = document.createElement("a");
  element.href = href;
  element.textContent = text;
  if (name) {
    element.setAttribute("aria-label", name);
    element.title = name;
  }
  if (kind) element.className = kind;
  if (current) element.setAttribute("aria-current", "page");
  if (!anew) element.addEventListener("click", go);
  return element;
}

/** @param {{ data: { label: string, links: Link[] }, parentElement: HTMLElement }} component */
export function pageLinks({ data: { label, links }, parentElement }) {
  const nav = /** @type {HTMLElement & { bnvizLinks?: string }} */ (parentElement.querySelector("nav"));
  const wanted = JSON.stringify([label, links]);
  if (nav.bnvizLinks !== wanted) {
    nav.bnvizLinks = wanted;
    nav.setAttribute("aria-label", label);
    const focused = [...nav.children].indexOf(/** @type {Element} */ (document.activeElement));
    nav.replaceChildren(...links.map(anchor));
    if (focused >= 0) /** @type {HTMLElement | undefined} */ (nav.children[focused])?.focus();
  }
  return () => {};
}
