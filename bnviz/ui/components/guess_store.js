// @ts-check
// The guesses of this tab, which its session storage keeps: they outlive a reload, and no other tab has them.

const NAME = "bnviz-guesses";

/**
 * @param {{ data: { guesses: string | null }, setStateValue: (name: string, value: string) => void }} component
 *   guesses: what Python knows, as JSON; null while it knows nothing and asks.
 */
export function guessStore({ data: { guesses }, setStateValue }) {
  if (guesses === null) setStateValue("kept", sessionStorage.getItem(NAME) ?? "{}");
  else sessionStorage.setItem(NAME, guesses);
  return () => {};
}
