// Takes pictures of the pages, into the folder that the environment names: those of `BROWSER_PAGES`, or all. Of those in the README also
// what fits into a window.
import { join } from "node:path";
import { looks, pages, show } from "./pages.mjs";
import { gateway, scenario } from "./support.mjs";

const { BROWSER_PAGES, BROWSER_PICTURES } = process.env;
const names = pages.map((page) => page.name);
const wanted = BROWSER_PAGES ? BROWSER_PAGES.split(" ") : names;
for (const name of wanted) {
  if (!names.includes(name)) throw new Error(`there is no page "${name}", only ${names.join(", ")}`);
}
for (const page of pages.filter((page) => wanted.includes(page.name))) {
  for (const look of Object.keys(looks)) {
    scenario(`${page.name}-${look}.png`, async ({ open }) => {
      const opened = await show(open, gateway, page, look);
      await opened.screenshot({ path: join(BROWSER_PICTURES, `${page.name}-${look}.png`), fullPage: true });
      if (page.inReadme && look === "light") await opened.screenshot({ path: join(BROWSER_PICTURES, `${page.name}-readme.png`) });
    });
  }
}
