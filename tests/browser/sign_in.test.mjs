// How people get in.
import assert from "node:assert/strict";
import { allow, axe, gateway, scenario, signIn } from "./support.mjs";

const isOverview = async (page) => {
  await page.locator("main table tbody tr", { hasText: "demo" }).first().waitFor();
  assert.equal(new URL(page.url()).pathname, "/");
};

scenario("a link leads to the overview, and is good once", async ({ open }) => {
  const link = await gateway.link();
  const page = await open();
  await signIn(page, link);
  await isOverview(page);

  const second = await open({ address: link });
  await second.getByRole("alert").filter({ hasText: "was used before" }).waitFor();
  assert.equal(await second.getByRole("button", { name: "Sign in" }).count(), 0);
});

scenario("a wrong link says what to do, and the page has no barriers", async ({ open }) => {
  const wrong = `/sign-in?link=${"A".repeat(43)}`;
  for (const theme of ["light", "dark"]) {
    const page = await open({ address: wrong, theme });
    await page.getByRole("alert").waitFor();
    await page.getByText("bridge32 sign-in").first().waitFor();
    await axe(page);
  }
});

scenario("a link that is used while its page is open says so", async ({ open }) => {
  const link = await gateway.link();
  const late = await open({ address: link });
  await signIn(await open(), link);
  allow(late, /status of 401 /);
  await late.getByRole("button", { name: "Sign in" }).click();
  await late.getByRole("alert").filter({ hasText: "was used before" }).waitFor();
  await axe(late);
});

scenario("the keyboard is enough", async ({ open }) => {
  const page = await open({ address: await gateway.link() });
  // The button has the focus.
  await page.keyboard.press("Enter");
  await isOverview(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "#main", "first comes the way past the bar");
});

scenario("without JavaScript people sign in and out, too", async ({ open }) => {
  const page = await open({ javaScript: false });
  await signIn(page, await gateway.link());
  await isOverview(page);
  await page.locator('form[action="/sign-out"] button').click();
  await page.waitForURL("**/sign-in");
  await page.goto("/");
  assert.equal(new URL(page.url()).pathname, "/sign-in");
});
