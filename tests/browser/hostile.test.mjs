// Whatever a library, its header or a caller says is text: nothing of it runs, and no page is wider for it.
import assert from "node:assert/strict";
import { allow, axe, fits, gateway, scenario } from "./support.mjs";

const MARKUP = `"><script>globalThis.harm = 5</script><img src=x onerror="globalThis.harm = 6">读卡器`;

const PAGES = [
  "/",
  "/libraries",
  "/libraries/hostile",
  "/libraries/hostile/exports",
  "/libraries/hostile/interface",
  "/libraries/hostile/functions/Echo",
  "/libraries/hostile/functions/Take",
  `/libraries/hostile/try?export=${encodeURIComponent("<img src=x onerror=globalThis.harm=4>")}`,
  `/search?q=${encodeURIComponent(MARKUP)}`,
  "/search?q=img",
  "/calls",
  `/calls?text=${encodeURIComponent(MARKUP)}`,
  "/agents",
];

// Nothing of it runs, and nothing of it is an element.
async function isHarmless(page) {
  assert.equal(await page.evaluate(() => globalThis.harm), undefined, page.url());
  assert.equal(await page.locator("main img, main script").count(), 0, page.url());
}

scenario("markup in names, comments, arguments and answers is text on every page", async ({ open }) => {
  const { call_id: id, result } = await gateway.call("hostile", "Echo", { text: MARKUP });
  assert.equal(result, MARKUP);
  await gateway.call("hostile", "Take", { kind: MARKUP });
  const page = await open({ signedIn: true, width: 375 });
  for (const address of [...PAGES, `/calls/${id}`]) {
    await page.goto(address);
    await isHarmless(page);
    await fits(page);
  }
  await page.goto(`/calls/${id}`);
  assert.match(await page.locator("main").textContent(), /<script>globalThis.harm = 5<\/script>/);
  await axe(page);
});

scenario("markup that is typed into a form comes back as text", async ({ open }) => {
  const page = await open({ address: "/libraries/hostile/functions/Echo", signedIn: true });
  allow(page, /status of 4\d\d /);
  await page.locator('form#call textarea[id^="f"]').first().fill(MARKUP);
  await page.locator("form#call button.main").click();
  await page.locator("#answer").getByText("returned").waitFor();
  assert.match(await page.locator("#answer").textContent(), /<img src=x onerror/);
  await isHarmless(page);
  await axe(page);
});
