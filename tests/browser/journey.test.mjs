// What people come for: to find a function, to call it, to see what became of a call, to see a process end and come back, to change over
// to another file, to let somebody else call.
import assert from "node:assert/strict";
import { allow, axe, gateway, scenario } from "./support.mjs";

const REFUSED = /status of 422 /;

// The form of a function, whose fields have the names of the parameters.
async function formOf(open, name, options = {}) {
  const page = await open({ address: `/libraries/demo/functions/${name}`, signedIn: true, ...options });
  return { page, call: page.locator("form#call button.main") };
}

// Sends a form, and waits until its answer is shown.
async function send(page, button) {
  await Promise.all([page.waitForResponse((answer) => answer.request().method() === "POST"), button.click()]);
  await page.locator("form[aria-busy]").waitFor({ state: "detached" });
}

const fill = (page, name, value) => page.locator(`form#call [id^="f"][name$="${name}"]`).first().fill(value);

scenario("an export is found by the search, and called from its form; the call arrives in a list that is open", async ({ open }) => {
  const list = await open({ address: "/calls", signedIn: true });
  await list.evaluate(() => (globalThis.loaded = "once"));
  const page = await open({ address: "/", signedIn: true });
  await page.keyboard.press("/");
  await page.keyboard.type("Divid");
  await page.keyboard.press("Enter");
  await page.locator('main a[href="/libraries/demo/functions/Divide"]').first().click();
  await page.locator("h1", { hasText: "Divide" }).waitFor();
  // Its scripts have run then: without them the key does nothing.
  await page.waitForLoadState();
  await fill(page, "dividend", "17");
  await fill(page, "divisor", "5");
  await page.keyboard.press("Control+Enter");
  const answer = page.locator("#answer");
  await answer.getByText("returned").waitFor();
  assert.match(await answer.textContent(), /quotient[^]*3[^]*remainder[^]*2/);
  await axe(page);
  await list.locator("#calls tbody tr", { hasText: "Divide" }).first().waitFor();
  assert.equal(await list.evaluate(() => globalThis.loaded), "once", "the list was not loaded again");
});

scenario("what is wrong in a form is said at its field, and everything that was typed stays", async ({ open }) => {
  const { page, call } = await formOf(open, "Divide");
  allow(page, REFUSED);
  await fill(page, "dividend", "17");
  await fill(page, "divisor", "five");
  await send(page, call);
  const wrong = page.locator('form#call [aria-invalid="true"]');
  await wrong.waitFor();
  assert.match(await wrong.getAttribute("name"), /divisor$/);
  assert.equal(await wrong.inputValue(), "five");
  assert.equal(await page.locator('form#call [name$="dividend"]').first().inputValue(), "17");
  await axe(page);
  await fill(page, "divisor", "99999999999");
  await send(page, call);
  await page.locator('form#call [aria-invalid="true"]').waitFor();
  await fill(page, "divisor", "5");
  await send(page, call);
  await page.locator("#answer").getByText("returned").waitFor();
  assert.equal(await page.locator('form#call [aria-invalid="true"]').count(), 0);
});

scenario("a form works without scripts, too", async ({ open }) => {
  const { page, call } = await formOf(open, "Add", { javaScript: false });
  await fill(page, "a", "40");
  await fill(page, "b", "2");
  await call.click();
  assert.match(await page.locator("#answer").textContent(), /42/);
  assert.equal(await page.locator('form#call [name$="a"]').first().inputValue(), "40");
});

scenario("a crash is seen, with the process that comes back, the call and the report", async ({ open }) => {
  const agents = await open({ address: "/agents", signedIn: true });
  await agents.locator("main table", { hasText: "demo" }).first().waitFor();
  const before = (await gateway.get("/v1/agents")).agents.find(({ pool }) => pool === "demo").generation;
  const { page, call } = await formOf(open, "Crash");
  // The answer is that there is none.
  allow(page, /status of 50\d /);
  await call.click();
  const answer = page.locator("#answer");
  await answer.getByText("agent_crashed").first().waitFor();
  await axe(page);
  await agents.getByText(/0x[0-9a-f]+|SIG|crash/i).first().waitFor();
  const recovered = async () => {
    const agent = (await gateway.get("/v1/agents")).agents.find(({ pool }) => pool === "demo");
    return agent.generation > before && agent.state === "ready";
  };
  while (!(await recovered())) await new Promise((done) => setTimeout(done, 200));
  await agents.locator("main .state.good", { hasText: "ready" }).first().waitFor();
  await answer.getByRole("link", { name: "crash report" }).click();
  await page.waitForURL(/\/crashes\//);
  assert.match(await page.locator("main").textContent(), /demo/);
  await axe(page);
});

scenario("a call is found by filters that are the address, opened, and made again", async ({ open }) => {
  await gateway.call("demo", "Add", { a: 20, b: 22 });
  await gateway.call("demo", "Divide", { dividend: 1 });
  const page = await open({ address: "/calls", signedIn: true });
  await page.locator('select[name="outcome"]').selectOption("returned");
  await page.locator('input[name="function"]').fill("Add");
  await page.waitForURL(/outcome=returned/);
  await page.waitForURL(/function=Add/);
  await page.locator("#calls tbody tr", { hasText: "Divide" }).first().waitFor({ state: "detached" });
  await page.locator("#calls tbody tr", { hasText: "Add" }).first().waitFor();
  const same = await open({ address: new URL(page.url()).pathname + new URL(page.url()).search, signedIn: true });
  assert.equal(await same.locator('input[name="function"]').inputValue(), "Add");
  const call = await page.locator('#calls tbody a[href^="/calls/"]').first().getAttribute("href");
  await page.goto(call);
  assert.match(await page.locator("main").textContent(), /42/);
  await axe(page);
  page.on("dialog", (dialog) => dialog.accept());
  await page.locator('form[action$="/replay"] button').click();
  await page.waitForURL(/\/compare\//);
  await page.getByText("Both have the same outcome.").waitFor();
  await axe(page);
});

scenario("a filter that cannot be read stays as it was typed, and says what it takes", async ({ open }) => {
  const page = await open({ address: "/calls?since=soon&library=demo", status: 400, signedIn: true });
  const wrong = page.locator('[aria-invalid="true"]');
  assert.equal(await wrong.inputValue(), "soon");
  await axe(page);
});

scenario("a library is loaded again while its page shows how far that is", async ({ open }) => {
  const page = await open({ address: "/libraries/demo/settings", signedIn: true });
  await page.getByRole("button", { name: "Reload this library" }).click();
  await page.locator("#reload .notice.good").waitFor();
  await axe(page);
});

scenario("a key is added, its secret is shown once, and it is revoked", async ({ open }) => {
  const page = await open({ address: "/keys", signedIn: true });
  await page.locator("#id").fill("till 7!");
  await page.locator("#expires").fill("yesterday");
  allow(page, REFUSED, /status of 400 /);
  await page.getByRole("button", { name: "Add the key" }).click();
  await page.locator("#expires-fault").waitFor();
  assert.equal(await page.locator("#expires").inputValue(), "yesterday");
  await axe(page);
  await page.locator("#id").fill("till-7");
  await page.locator("#expires").fill("90d");
  await page.locator('input[name="scope"][value="read"]').check();
  await page.getByRole("button", { name: "Add the key" }).click();
  const secret = await page.locator("#secret").textContent();
  assert.ok(secret.length >= 40, secret);
  await axe(page);
  await page.goto("/keys");
  assert.ok(!(await page.content()).includes(secret), "it is shown once");
  await page.getByRole("link", { name: "till-7" }).click();
  page.on("dialog", (dialog) => dialog.accept());
  await page.getByRole("button", { name: "Revoke the key" }).click();
  await page.getByText("till-7 is no key any more").waitFor();
  assert.equal(await page.locator("#keys", { hasText: "till-7" }).count(), 0);
});
