// What all pages have around them: language and colours, and that they follow what happens.
import assert from "node:assert/strict";
import { axe, gateway, scenario } from "./support.mjs";

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

scenario("the language that somebody chooses stays, whatever the browser asks for", async ({ open }) => {
  const page = await open({ address: "/", signedIn: true, language: "en" });
  await page.getByRole("button", { name: "中文" }).click();
  await page.locator("html[lang|=zh]").waitFor();
  await page.goto("/docs");
  assert.match(await page.locator("html").getAttribute("lang"), /^zh/);
  await page.getByRole("button", { name: "English" }).click();
  await page.locator("html[lang|=en]").waitFor();
  assert.equal(new URL(page.url()).pathname, "/docs", "the choice leads back");
});

scenario("the colours that somebody chooses stay, whatever the system has", async ({ open }) => {
  const page = await open({ address: "/", signedIn: true, theme: "light" });
  const light = await ground(page);
  await page.locator('button[name="theme"]').click();
  await page.locator("html[data-theme=dark]").waitFor();
  const dark = await ground(page);
  assert.notEqual(dark, light);
  await axe(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator('button[name="theme"]').click();
  await page.locator("html[data-theme=light]").waitFor();
  assert.equal(await ground(page), light);
  await axe(page);
});

scenario("the overview shows a call that fails meanwhile, without being loaded again", async ({ open }) => {
  const page = await open({ address: "/", signedIn: true });
  await page.evaluate(() => (globalThis.loaded = "once"));
  const problem = await gateway.call("demo", "Divide", { dividend: 17 });
  assert.equal(problem.code, "argument_mismatch");
  await page.locator("#problems", { hasText: "argument_mismatch" }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.loaded), "once");
});
