// Opens a profile in speedscope, in a real browser: `node speedscope.mjs CHROMIUM PROFILE`. Says as JSON what its importer made of it: for
// each profile in the file the unit, the sum, and the weight of each function at the inner end of a stack.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, profile] = process.argv.slice(2);
const home = dirname(createRequire(import.meta.url).resolve("speedscope/package.json"));
// As its own command line hands it a file.
const script = `${profile}.js`;
const [name, bytes] = [basename(profile), readFileSync(profile).toString("base64")];
writeFileSync(script, `speedscope.loadFileFromBase64(${JSON.stringify(name)}, "${bytes}")`);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--enable-unsafe-swiftshader"] });
const page = await browser.newPage();
page.on("pageerror", (error) => console.error(`script: ${error.message}`));
page.on("dialog", (dialog) => (console.error(`dialog: ${dialog.message()}`), dialog.dismiss()));
await page.goto(`${pathToFileURL(join(home, "dist/release/index.html")).href}#localProfilePath=${script}`);
await page.waitForFunction(() => document.title !== "speedscope" && !document.title.startsWith("speedscope v"));
// What it has, it saves in a form of its own.
const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Control+s")]);
const { shared, profiles } = JSON.parse(readFileSync(await download.path(), "utf8"));
await browser.close();
console.log(JSON.stringify(profiles.map(({ name, unit, startValue, endValue, events }) => {
  // Frames open and close along an axis of weights: what passes between two events is the innermost open one's.
  const [inner, open] = [{}, []];
  let since = startValue;
  for (const { type, frame, at } of events) {
    if (open.length > 0 && at > since) {
      const { name } = shared.frames[open.at(-1)];
      inner[name] = (inner[name] ?? 0) + at - since;
    }
    since = at;
    type === "O" ? open.push(frame) : open.pop();
  }
  return { name, unit, sum: endValue - startValue, inner };
})));
