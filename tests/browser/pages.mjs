// Every page of the dashboard, a line each: `pages.test.mjs` looks for barriers on it in each of its looks, and `cargo xtask
// screenshots` takes pictures of it. The gateway is that of `tests/src/showcase.rs`.

// name     of its pictures
// address  its path, or a function that finds it, given `gateway` of support.mjs
// shows    a selector of what must be visible before the page is looked at, in whatever language
// signedIn, status, allow: as `open` of support.mjs takes them; most pages are for somebody who has signed in
// then     what is done there before it is looked at
// inReadme whether the README shows it, as docs/images/NAME.png
// notOurs  selectors of parts that somebody else wrote
export const pages = [
  { name: "overview", address: "/", shows: "main table tbody tr", inReadme: true },
  { name: "sign-in", address: "/sign-in", shows: "main h1", signedIn: false },
  { name: "sign-in-link", address: async (gateway) => new URL(await gateway.link()), shows: "main form button", signedIn: false },
  { name: "not-found", address: "/no-such-page", shows: "main h1", status: 404 },
  { name: "libraries", address: "/libraries", shows: "main table tbody tr" },
  { name: "library", address: "/libraries/z", shows: "main table tbody tr" },
  { name: "exports", address: "/libraries/demow/exports", shows: "#exports table tbody tr" },
  { name: "interface", address: "/libraries/demo/interface", shows: "main h2" },
  { name: "dependencies", address: "/libraries/broken/dependencies", shows: "main h2" },
  { name: "settings", address: "/libraries/demo/settings", shows: "main dl.settings" },
  { name: "function", address: "/libraries/demo/functions/Round", shows: "form#call button.main" },
  { name: "function-answer", address: "/libraries/demo/functions/Divide", shows: "form#call button.main", then: divide, inReadme: true },
  { name: "function-buffer", address: "/libraries/z/functions/compress", shows: "form#call button.main" },
  { name: "try", address: "/libraries/z/try?export=crc32_combine&prototype=uLong%20crc32_combine(uLong%20left%2C%20uLong%20right%2C%20long%20length)", shows: "form#call" },
  { name: "calls", address: "/calls", shows: "#calls table tbody tr" },
  { name: "calls-none", address: "/calls?function=nobody", shows: "#calls .card" },
  { name: "call", address: callThat("returned"), shows: "main h1" },
  { name: "call-failed", address: callThat("agent_crashed"), shows: "main h1" },
  { name: "agents", address: "/agents", shows: "main table tbody tr" },
  { name: "agent", address: "/agents/demo", shows: "#past svg" },
  { name: "crash", address: crash, shows: "main h1" },
  { name: "keys", address: "/keys", shows: "#keys table tbody tr" },
  { name: "search", address: "/search?q=a", shows: "main h2" },
  { name: "docs", address: "/docs", shows: "#api .opblock-tag", notOurs: ["#api"] },
];

// The newest call that ended so.
function callThat(outcome) {
  return async (gateway) => `/calls/${(await gateway.get(`/v1/calls?outcome=${outcome}&limit=1`)).calls[0].call_id}`;
}

async function divide(page) {
  for (const [name, value] of [["dividend", "17"], ["divisor", "5"]]) await page.locator(`form#call [name="/${name}"]`).fill(value);
  await page.locator("form#call button.main").click();
  await page.locator("#answer .state").first().waitFor();
}

// The newest report of a crash.
async function crash(gateway) {
  const { agents } = await gateway.get("/v1/agents");
  return `/crashes/${agents.map(({ health }) => health.last_crash?.report).find(Boolean)}`;
}

// How each of them can look.
export const looks = {
  light: {},
  dark: { theme: "dark" },
  narrow: { width: 375 },
  chinese: { language: "zh-CN" },
};

// Opens a page in one of its looks and waits until it shows what it should.
export async function show(open, gateway, page, look) {
  const { address, shows, signedIn = true, status, allow, then } = page;
  const path = typeof address === "function" ? await address(gateway) : address;
  const opened = await open({ address: String(path), signedIn, status, allow, ...looks[look] });
  await opened.locator(shows).first().waitFor();
  await then?.(opened);
  return opened;
}
