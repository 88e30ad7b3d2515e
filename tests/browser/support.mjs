// What the scenarios have in common: Chromium, the gateway under test, visitors to its pages, and what every page must be: without
// an error in the console, without a request to anybody else, without barriers, and not wider than the window.
//
// `tests/browser.rs` starts the gateway and says in the environment where it is.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

const { BROWSER_KIT, BROWSER_FAILURES, GATEWAY_CONFIG, GATEWAY_PROGRAM, GATEWAY_URL } = process.env;
assert(BROWSER_KIT && GATEWAY_URL, "`cargo test -p bridge32-tests --test browser` runs this");
const require = createRequire(join(BROWSER_KIT, "package.json"));
const { chromium } = require("playwright-core");
const { source: AXE } = require("axe-core");

// Longer than a page of a busy machine takes, so that a scenario fails and does not hang.
const PATIENCE = 20_000;
const SCENARIO = 180_000;

// The gateway under test, asked by its own commands with the key that may do everything.
export const gateway = {
  url: GATEWAY_URL,
  // A new link to sign in with.
  link: async () => (await command("sign-in", "--url", GATEWAY_URL)).trim(),
  // The JSON document of a path.
  get: async (path) => JSON.parse(await command("curl", "--fail", GATEWAY_URL + path)),
  // Sends a JSON document, by POST unless another method is said, and gives the one that comes back, whatever its status.
  send: async (path, body, method = "POST") =>
    JSON.parse((await command("curl", "--request", method, "--data", JSON.stringify(body), GATEWAY_URL + path)) || "null"),
  // Calls a declared function.
  call: (library, name, values = {}) => gateway.send(`/v1/libraries/${library}/functions/${name}`, values),
};

async function command(name, ...words) {
  const { stdout } = await promisify(execFile)(GATEWAY_PROGRAM, [name, "--config", GATEWAY_CONFIG, ...words], { maxBuffer: 64 << 20 });
  return stdout;
}

let launched;

// One Chromium for all scenarios of a file. Every other host than loopback is unknown to it, and it opens nothing but pages of the
// gateway under test: root, whom it gives no sandbox, may run it.
function browser() {
  launched ??= chromium.launch({
    executablePath: "/usr/bin/chromium",
    chromiumSandbox: false,
    args: ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  return launched;
}

after(async () => (await launched)?.close());

// A test. `open` is `Visitors.open`; `complaints` are what its pages have complained of so far, beside what is allowed. If there are any in
// the end, the scenario fails.
export function scenario(name, body) {
  test(name, { timeout: SCENARIO }, async (context) => {
    const visitors = new Visitors();
    try {
      await body({ open: (options) => visitors.open(options), complaints: () => visitors.complaints() });
    } catch (error) {
      for (const line of [...visitors.complaints(), ...(await visitors.pictures(name))]) context.diagnostic(line);
      throw error;
    } finally {
      await visitors.leave();
    }
    const complaints = visitors.complaints();
    if (complaints.length > 0) assert.fail(`the pages complain:\n  ${complaints.join("\n  ")}`);
  });
}

const allowed = new WeakMap();

// Lets the page's complaints be that match one of the patterns.
export function allow(page, ...patterns) {
  allowed.get(page.context()).push(...patterns);
}

// People with a browser each: nobody has another's cookies.
class Visitors {
  #contexts = [];
  #complaints = [];

  // Opens an address of the gateway and gives Playwright's page of it.
  //   address     the path; none opens an empty page
  //   status      what the gateway must answer
  //   signedIn    whether this is somebody who has signed in, by a link
  //   theme       "light" or "dark"
  //   language    what the browser asks for
  //   width       of the window, in pixels
  //   javaScript  whether scripts run
  //   allow       patterns of complaints that are expected
  //   context     other options of Playwright's `newContext`
  async open({ address, status = 200, signedIn = false, theme = "light", language = "en", width = 1280, javaScript = true, ...more } = {}) {
    const context = await (await browser()).newContext({
      baseURL: GATEWAY_URL,
      colorScheme: theme,
      locale: language,
      viewport: { width, height: 800 },
      javaScriptEnabled: javaScript,
      storageState: signedIn ? await session() : undefined,
      ...more.context,
    });
    this.#contexts.push(context);
    context.setDefaultTimeout(PATIENCE);
    allowed.set(context, [...(more.allow ?? [])]);
    this.#listen(context);
    const page = await context.newPage();
    if (address === undefined) return page;
    // Chromium counts such a page itself among what could not be loaded.
    if (status >= 400) allow(page, new RegExp(`status of ${status} `));
    const answer = await page.goto(address);
    assert.equal(answer.status(), status, `the status of ${address}`);
    return page;
  }

  #listen(context) {
    const complain = (text) => this.#complaints.push({ context, text });
    context.on("console", (message) => {
      // What breaks the page's policy is told here, too.
      if (message.type() === "error") complain(`console: ${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => complain(`page: ${error.error().stack ?? error.error()}`));
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (!["data:", "blob:"].includes(url.protocol) && url.origin !== GATEWAY_URL) complain(`request to another host: ${url}`);
    });
  }

  complaints() {
    const kept = ({ context, text }) => !allowed.get(context).some((pattern) => pattern.test(text));
    return this.#complaints.filter(kept).map(({ text }) => text);
  }

  // What the pages look like now, for a person who wonders why a scenario failed.
  async pictures(name) {
    const lines = [];
    if (!BROWSER_FAILURES) return lines;
    await mkdir(BROWSER_FAILURES, { recursive: true });
    for (const page of this.#contexts.flatMap((context) => context.pages())) {
      const path = join(BROWSER_FAILURES, `${name.replaceAll(/[^\p{L}\p{N}]+/gu, "-")}-${lines.length + 1}.png`);
      const taken = page.screenshot({ path, fullPage: true }).then(() => `${page.url()} is in ${path}`);
      lines.push(await taken.catch((error) => `${page.url()} has no picture: ${error.message}`));
    }
    return lines;
  }

  async leave() {
    await Promise.all(this.#contexts.map((context) => context.close()));
  }
}

let cookies;

// The cookies of a session, which all scenarios of a file share that do not sign in themselves.
function session() {
  cookies ??= (async () => {
    const context = await (await browser()).newContext();
    await signIn(await context.newPage(), await gateway.link());
    const state = await context.storageState();
    await context.close();
    return state;
  })();
  return cookies;
}

// Signs in at an empty page, or any, and leaves it where the gateway leads to.
export async function signIn(page, link) {
  await page.goto(link);
  await page.locator('form[action="/sign-in"] button').click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
}

// The rules of WCAG 2.2 A and AA, and what axe counts among good practice.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// Fails with everything on the page that keeps somebody from using it, but in the parts that are not ours.
export async function axe(page, { exclude = [] } = {}) {
  // By way of the debugger, so that the page's policy holds for the page and not for this.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    ([exclude, rules]) => globalThis.axe.run({ exclude }, { runOnly: rules, resultTypes: ["violations"] }),
    [exclude.map((selector) => [selector]), RULES],
  );
  const lines = violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id} at ${node.target.join(" ")}: ${help}\n    ${node.html}\n    ${node.failureSummary.replaceAll("\n", "\n    ")}`),
  );
  if (lines.length > 0) assert.fail(`axe finds on ${page.url()}:\n  ${lines.join("\n  ")}`);
}

// Nobody has to scroll sideways. What is wider scrolls within itself.
export async function fits(page) {
  const { over, widest } = await page.evaluate(() => {
    const clips = (element) => element && (getComputedStyle(element).overflowX !== "visible" || clips(element.parentElement));
    const reach = (element) => {
      const box = element.getBoundingClientRect();
      return Math.max(box.right, box.left + element.scrollWidth);
    };
    const wide = [...document.body.querySelectorAll("*")].filter((element) => reach(element) > innerWidth + 1 && !clips(element));
    return {
      over: document.scrollingElement.scrollWidth - innerWidth,
      // The innermost come last.
      widest: wide.slice(-3).map((element) => element.cloneNode(false).outerHTML.slice(0, 200)),
    };
  });
  if (over > 0) assert.fail(`${page.url()} is ${over} px wider than its window, by ${widest.join(", ")}`);
}
