// @ts-check
// Links before everything else on the page, seen while they have the keyboard's focus, that jump over the navigation.

/** @typedef {{ label: string, to: string }} Skip to: a selector of the place */

const ID = "bnviz-skip-links";

/** @param {Skip} skip */
function link({ label, to }) {
  const made = document.createElement("a");
  made.href = "#";
  made.textContent = label;
  made.onclick = (event) => {
    event.preventDefault();
    const place = document.querySelector(to);
    if (!(place instanceof HTMLElement)) return;
    place.tabIndex = -1; // a place without focus of its own can be given it, and Tab goes on from there
    place.focus();
    place.scrollIntoView({ block: "nearest" });
  };
  return made;
}

/** @param {{ data: { links: Skip[] } }} component */
export function skipLinks({ data }) {
  let place = document.getElementById(ID);
  if (!place) {
    place = document.createElement("nav");
    place.id = ID;
    place.setAttribute("aria-label", "Skip");
    document.body.prepend(place);
  }
  const told = JSON.stringify(data.links);
  if (place.dataset.links === told) return () => {};
  place.dataset.links = told;
  place.replaceChildren(...data.links.map(link));
  return () => {};
}
