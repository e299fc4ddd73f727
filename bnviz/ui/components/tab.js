// The tab's own id, which its session storage keeps.
export function tab({ data, setStateValue }) {
  const name = "bnviz-tab";
  if (data.assigned) sessionStorage.setItem(name, data.assigned);
  const known = sessionStorage.getItem(name) ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.setItem(name, known);
  if (known !== data.known) setStateValue("tab", known);
  return () => {};
}
