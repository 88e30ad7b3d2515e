// Every page of the dashboard, a line each: `pages.test.mjs` looks for barriers on it in each of its looks, and `cargo xtask
// screenshots` takes pictures of it. The gateway is that of `tests/src/showcase.rs`.

// name     of its pictures
// address  its path, or a function that finds it, given `gateway` of support.mjs
// shows    a selector of what must be visible before the page is looked at, in whatever language
// signedIn, status, allow: as `open` of support.mjs takes them; most pages are for somebody who has signed in
// notOurs  selectors of parts that somebody else wrote
export const pages = [
  { name: "overview", address: "/", shows: "main table tbody tr" },
  { name: "sign-in", address: "/sign-in", shows: "main h1", signedIn: false },
  { name: "sign-in-link", address: async (gateway) => new URL(await gateway.link()), shows: "main form button", signedIn: false },
  { name: "not-found", address: "/no-such-page", shows: "main h1", status: 404 },
  { name: "docs", address: "/docs", shows: "#api .opblock-tag", notOurs: ["#api"] },
];

// How each of them can look.
export const looks = {
  light: {},
  dark: { theme: "dark" },
  narrow: { width: 375 },
  chinese: { language: "zh-CN" },
};

// Opens a page in one of its looks and waits until it shows what it should.
export async function show(open, gateway, page, look) {
  const { address, shows, signedIn = true, status, allow } = page;
  const path = typeof address === "function" ? await address(gateway) : address;
  const opened = await open({ address: String(path), signedIn, status, allow, ...looks[look] });
  await opened.locator(shows).first().waitFor();
  return opened;
}
