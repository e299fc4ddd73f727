// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

test("what is kept lasts as long as the page where a browser denies its storage", async () => {
  const denied = {
    get sessionStorage() {
      throw new Error("Access is denied for this document.");
    },
  };
  Object.defineProperty(globalThis, "window", { value: denied });
  const { storage } = await import("../../../bnviz/ui/components/storage.js");
  assert.equal(storage("sessionStorage").getItem("a"), null);
  storage("sessionStorage").setItem("a", "1");
  assert.equal(storage("sessionStorage").getItem("a"), "1");
});
