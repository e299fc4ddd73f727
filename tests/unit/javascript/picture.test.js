// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { wrapped } from "../../../bnviz/ui/components/chart/picture.js";

test("a line breaks before the word that no longer fits", () => {
  assert.equal(wrapped("one two three four", 9), "one two <br>three <br>four");
});

test("tags take no room, and an entity is one letter", () => {
  assert.equal(wrapped("<b>one</b> two", 7), "<b>one</b> two");
  assert.equal(wrapped("&amp;&lt;&gt; b", 5), "&amp;&lt;&gt; b");
});

test("a break that is there begins to count anew", () => {
  assert.equal(wrapped("one two<br>three", 7), "one two<br>three");
});
