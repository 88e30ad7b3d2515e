// Forms: what is sent and how often, what stays of what was typed, and what is said if the answer is another than was hoped for.
import assert from "node:assert/strict";
import { allow, axe, gateway, scenario } from "./support.mjs";

// The form of a function, whose fields have the names of the parameters.
async function formOf(open, name) {
  const page = await open({ address: `/libraries/forms/functions/${name}`, signedIn: true });
  return { page, call: page.locator("form#call button.main") };
}

const field = (page, name) => page.locator(`form#call [id^="f"][name$="${name}"]`).first();
const answered = (page) => page.locator("#answer").getByText("returned").waitFor();

scenario("an export that no header declares is called with a prototype that is typed in", async ({ open }) => {
  const page = await open({ address: "/libraries/forms/try?export=Twice", signedIn: true });
  allow(page, /status of 4\d\d /);
  const prototype = page.locator("#prototype");
  await prototype.fill("int Twice(int");
  await page.locator("#prototype-form .actions button").first().click();
  await page.locator("#prototype-wrong").waitFor();
  await axe(page);
  await prototype.fill("int Twice(int value)");
  await prototype.press("Control+Enter");
  await page.locator("form#call").waitFor();
  assert.equal((await gateway.get("/v1/calls?library=forms")).calls.length, 0, "reading a prototype is no call");
  await field(page, "value").fill("21");
  await field(page, "value").press("Control+Enter");
  await answered(page);
  assert.match(await page.locator("#answer").textContent(), /42/);
  await axe(page);
});

scenario("a form whose answer does not come is not sent again unasked", async ({ open }) => {
  const { page, call } = await formOf(open, "Nap");
  allow(page, /Failed to load resource|ERR_FAILED/);
  let sent = 0;
  await page.route("**/functions/Nap", (route) => {
    if (route.request().method() !== "POST") return route.continue();
    sent += 1;
    return route.abort();
  });
  await field(page, "milliseconds").fill("1");
  await call.click();
  await page.locator("#notice", { hasText: "No answer has come" }).waitFor();
  assert.equal(sent, 1);
  assert.equal(await field(page, "milliseconds").inputValue(), "1");
  await page.unroute("**/functions/Nap");
  await call.click();
  await answered(page);
  assert.ok(await page.locator("#notice").isHidden());
});

scenario("what is typed while a call runs is for the next one", async ({ open }) => {
  const { page, call } = await formOf(open, "Nap");
  await field(page, "milliseconds").fill("1500");
  await call.click();
  await page.locator("form#call[aria-busy]").waitFor();
  await field(page, "milliseconds").fill("7");
  await answered(page);
  assert.match(await page.locator("#answer").textContent(), /1500/);
  assert.equal(await field(page, "milliseconds").inputValue(), "7");
  assert.ok(await field(page, "milliseconds").evaluate((own) => own === document.activeElement), "the focus stays");
});

scenario("an answer is shown, whatever is looked at meanwhile", async ({ open }) => {
  const { page, call } = await formOf(open, "Nap");
  await field(page, "milliseconds").fill("1000");
  await call.click();
  await page.evaluate(() => (location.hash = "main"));
  await answered(page);
});

scenario("once the session has ended, a form says so and keeps what was typed", async ({ open }) => {
  // A session of its own: the others go on.
  const page = await open({ address: new URL(await gateway.link()).href });
  await page.locator("main form button").click();
  await page.goto("/libraries/forms/functions/Nap");
  allow(page, /status of 401 /);
  await field(page, "milliseconds").fill("3");
  const other = await page.context().newPage();
  await other.goto("/keys");
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.waitForURL(/sign-in/);
  await page.locator("form#call button.main").click();
  await page.locator("#notice", { hasText: "signed out" }).waitFor();
  assert.equal(await field(page, "milliseconds").inputValue(), "3");
  await axe(page);
});

scenario("what is pressed twice is sent once: the secret of a key is not lost", async ({ open }) => {
  const page = await open({ address: "/keys", signedIn: true });
  await page.locator('form [name="id"]').first().fill("twice");
  await page.locator('form input[name="scope"][value="read"]').first().check();
  await page.getByRole("button", { name: "Add the key" }).dblclick();
  await page.locator("#secret").waitFor();
});

scenario("an element that goes takes its file along, and that of the next one stays", async ({ open }) => {
  const { page, call } = await formOf(open, "Opens");
  const files = () => page.locator('form#call input[type="file"]');
  await page.getByRole("button", { name: "Add an element" }).first().click();
  await files().nth(1).waitFor({ state: "attached" });
  for (const [index, byte] of [[0, 11], [1, 22]]) {
    await page.locator('form#call input[type="radio"][value="file"]').nth(index).check();
    await files().nth(index).setInputFiles({ name: `${byte}.key`, mimeType: "application/octet-stream", buffer: Buffer.from([byte, 0, 0, 0]) });
  }
  await page.getByRole("button", { name: /^Remove / }).first().click();
  await files().nth(1).waitFor({ state: "detached" });
  await call.click();
  await answered(page);
  assert.match(await page.locator("#answer").textContent(), /\b22\b/);
});
