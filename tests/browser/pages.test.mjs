// What holds for every page.
import { looks, pages, show } from "./pages.mjs";
import { axe, fits, gateway, scenario } from "./support.mjs";

for (const page of pages) {
  for (const look of Object.keys(looks)) {
    scenario(`${page.name}, ${look}: there is no barrier, and nothing is wider than the window`, async ({ open }) => {
      const opened = await show(open, gateway, page, look);
      await fits(opened);
      await axe(opened, { exclude: page.notOurs });
    });
  }
}
