// Looks at reports in a real browser: `node look.mjs CHROMIUM REPORT.html DIRECTORY [WIDTHS]`. Says what is wrong, one line each, and exits
// with 1 if anything is; with screenshots and a PDF in the directory.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, report, directory, sizes = "390,1280,2560"] = process.argv.slice(2);
const widths = sizes.split(",").map(Number);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const address = pathToFileURL(report).href;
const wrong = [];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function opened(width, colorScheme) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  page.on("console", (said) => said.type() === "error" && wrong.push(`console: ${said.text()}`));
  page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    if (url !== address && url !== "about:srcdoc") wrong.push(`asked for ${url}`);
  });
  await page.goto(address, { waitUntil: "load" });
  return page;
}

for (const width of widths) {
  for (const scheme of ["light", "dark"]) {
    const page = await opened(width, scheme);
    page.on("dialog", (dialog) => (wrong.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wider > 0) wrong.push(`${width} px: ${wider} px wider than the window`);
    const opens = await page.evaluate(() => {
      const all = [...document.querySelectorAll("details")];
      for (const one of all) one.open = true;
      const beyond = document.documentElement.scrollWidth - innerWidth;
      for (const one of all) one.open = false;
      return beyond;
    });
    if (opens > 0) wrong.push(`${width} px: ${opens} px wider than the window once all is opened`);
    if (await page.evaluate(() => window.hit !== undefined)) wrong.push("a name ran as a script");
    const images = await page.evaluate(() => document.querySelectorAll("img, object, embed").length);
    if (images > 0) wrong.push(`${images} images that nobody drew`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run({ iframes: false }));
    for (const { id, impact, nodes } of found.violations) {
      if (impact === "serious" || impact === "critical") {
        wrong.push(`axe, ${width} px ${scheme}: ${id} (${impact}): ${nodes[0].html.slice(0, 200)}`);
      }
    }
    // Labels of charts that stand beyond their drawing are cut off.
    const cut = await page.evaluate(() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
      const edge = svg.getBoundingClientRect();
      return [...svg.querySelectorAll("text")].filter((text) => text.getBoundingClientRect().right > edge.right).map((text) => text.textContent.trim());
    }));
    if (cut.length > 0) wrong.push(`${width} px: labels are cut off: ${cut}`);
    await page.screenshot({ path: `${directory}/${width}-${scheme}.png` });
    await page.close();
  }
}

const page = await opened(1280, "light");
const took = await page.evaluate(() => performance.timing.loadEventEnd - performance.timing.navigationStart);
console.log(`opened in ${took} ms`);
// On paper nothing can be opened: what a chart shows is left out there, and all else is shown.
await page.emulateMedia({ media: "print" });
const shut = () => [...document.querySelectorAll("details")].filter((one) => one.checkVisibility() && one.lastElementChild.getBoundingClientRect().height === 0);
const seen = page.waitForFunction(`(${shut})().length === 0`, null);
await seen.catch(() => wrong.push("what can be opened is not on paper"));
const outside = await page.evaluate(() => [...document.querySelectorAll("pre")].filter((one) => one.scrollWidth > one.clientWidth).length);
if (outside > 0) wrong.push(`${outside} commands run off the paper`);
await page.emulateMedia({ media: null });
await page.pdf({ path: `${directory}/printed.pdf` });
const links = await page.locator("nav a").count();
for (let at = 0; at < links; at++) await page.keyboard.press("Tab");
const reached = await page.evaluate(() => document.activeElement.tagName);
if (reached !== "A") wrong.push(`the contents cannot be reached by keys: at ${reached}`);
if ((await page.locator("iframe").count()) > 0) {
  // It is not loaded before somebody comes to it.
  await page.locator("iframe").scrollIntoViewIfNeeded();
  const frame = await (await page.locator("iframe").elementHandle()).contentFrame();
  // What its scripts do last, once it is loaded.
  await frame.waitForSelector("#frames g:last-of-type[aria-label]", { state: "attached" });
  // What to look for is taken from the innermost frame, whose title is `FUNCTION (BYTES bytes, SHARE)`.
  const innermost = await frame.evaluate(() => [...document.querySelectorAll("#frames title")].at(-1).textContent);
  const term = innermost.match(/[A-Za-z_]{3,}/)?.[0] ?? "bytes";
  await frame.locator("#term").fill(term);
  await page.keyboard.press("Enter");
  const text = await frame.locator("#found").textContent();
  if (!/Matched/.test(text)) wrong.push(`the search for ${term} says ${JSON.stringify(text)}`);
  // Letters that nobody can read on a phone are drawn larger and scrolled.
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    const high = await frame.evaluate(() => Math.min(...[...document.querySelectorAll("#frames text")].filter((text) => text.textContent.trim()).map((text) => text.getBoundingClientRect().height)));
    if (high < 8) wrong.push(`${width} px: the flame graph's letters are ${high.toFixed(1)} px high`);
    const empty = await frame.evaluate(() => innerHeight - document.body.scrollHeight);
    if (empty > 120) wrong.push(`${width} px: ${empty} px below the flame graph are empty`);
  }
  // In the dark nothing of it glares but what is drawn.
  await page.emulateMedia({ colorScheme: "dark" });
  const ground = await frame.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector("#background stop")).stopColor]);
  if (ground.some((color) => color.match(/\d+/g).slice(0, 3).some((part) => part > 64))) wrong.push(`in the dark the flame graph's ground is ${ground}`);
  await page.emulateMedia({ colorScheme: "light" });
  const boxes = frame.locator("#frames g");
  const widths = () => frame.evaluate(() => [...document.querySelectorAll("#frames rect")].map((box) => box.getAttribute("width")).join());
  const before = await widths();
  await boxes.last().focus();
  await page.keyboard.press("Enter");
  if ((await boxes.count()) > 2 && (await widths()) === before) wrong.push("Enter does not zoom");
}
await browser.close();
wrong.forEach((line) => console.log(line));
process.exit(wrong.length > 0 ? 1 : 0);
