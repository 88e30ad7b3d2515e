// Whether what is wrong with a page would be noticed.
import assert from "node:assert/strict";
import { allow, axe, fits, scenario } from "./support.mjs";

scenario("barriers and what is too wide are found and named", async ({ open }) => {
  const page = await open({ address: "/sign-in", width: 375 });
  await page.evaluate(() => {
    const field = document.createElement("input");
    field.id = "nameless";
    const wide = document.createElement("div");
    wide.id = "wide";
    wide.textContent = "wide";
    wide.style.width = "500px";
    document.querySelector("main").append(field, wide);
  });
  await assert.rejects(axe(page), /label at #nameless: /);
  await axe(page, { exclude: ["#nameless"] });
  await assert.rejects(fits(page), /px wider than its window, by .*id="wide"/);
});

scenario("errors, broken policies and requests to others are complained of", async ({ open, complaints }) => {
  const page = await open({ address: "/sign-in" });
  await page.evaluate(() => {
    console.error("told in the console");
    setTimeout(() => {
      throw new Error("caught by nobody");
    });
    const script = document.createElement("script");
    script.textContent = "document.title = 'run'";
    document.head.append(script);
    new Image().src = "http://elsewhere.example/pixel.png";
  });
  const expected = [/told in the console/, /caught by nobody/, /Content Security Policy.*script-src/, /another host: http:\/\/elsewhere\.example/];
  await until(() => expected.every((pattern) => complaints().some((text) => pattern.test(text))), complaints);
  assert.notEqual(await page.title(), "run");

  allow(page, ...expected, /pixel\.png/);
  assert.deepEqual(complaints(), [], "what is allowed is not complained of");
});

async function until(holds, told) {
  for (const end = Date.now() + 5000; !holds(); await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (Date.now() > end) assert.fail(`only these: ${told().join("\n")}`);
  }
}
