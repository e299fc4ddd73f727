// @ts-check
// The guesses of this tab, which its session storage keeps: they outlive a reload, and no other tab has them.

import { storage } from "./storage.js";

const NAME = "bnviz-guesses";

/**
 * @param {{ data: { guesses: string | null }, setStateValue: (name: string, value: string) => void }} component
 *   guesses: what Python knows, as JSON; null while it knows nothing and asks.
 */
export function guessStore({ data: { guesses }, setStateValue }) {
  if (guesses === null) setStateValue("kept", storage("sessionStorage").getItem(NAME) ?? "{}");
  else storage("sessionStorage").setItem(NAME, guesses);
  return () => {};
}
