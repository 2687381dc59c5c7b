// Drives the console over the real service:
//
//   RASID=target/debug/rasid npm run demo                         starts `rasid demo --console`, and ends it
//   npm run demo -- 'http://127.0.0.1:7878/#token=rsd_…'          one that runs already; its token needs all scopes but write:events
//
// Alerts arrive, are filtered, opened, taken and judged, precision moves, a rule is taken back, every page is whole in both languages, and nothing
// raw stands anywhere. SHOTS names a folder for a picture of each page.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
/** A phone number of Egypt, an address of a mailbox, an address of the network: as raw as they come. */
const RAW = /(?<![\w.•])(?:\+?20 ?|0)1[0125]\d{8}\b|[\w.]+@[\w-]+\.[a-z]{2,}|\b(?:\d{1,3}\.){3}\d{1,3}\b/;

let service = null, url = process.argv[2];
if (!url) {
  service = spawn(process.env.RASID ?? 'rasid', ['demo', '--console', '--listen', process.env.LISTEN ?? '127.0.0.1:7979', '--seconds', '40'], { stdio: ['ignore', 'pipe', 'inherit'] });
  url = await new Promise((found, failed) => {
    createInterface({ input: service.stdout }).on('line', (line) => line.startsWith('http') && found(line.trim()));
    service.on('exit', (code) => failed(new Error(`rasid demo ended with ${code}`)));
    service.on('error', failed);
  });
}
const origin = new URL(url).origin;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, timezoneId: 'Africa/Cairo' });
const page = await context.newPage();
const troubles = [];
page.on('pageerror', (error) => troubles.push(`page error: ${error.stack}`));
page.on('console', (message) => message.type() === 'error' && !message.text().startsWith('Failed to load resource') && troubles.push(`console: ${message.text()}`));
// What could not be loaded is told with its address.
page.on('response', (response) => response.status() >= 400 && !(response.status() === 404 && /\/v1\/risk\//.test(response.url())) && troubles.push(`${response.status()} ${response.url()}`));
page.on('request', (request) => new URL(request.url()).origin === origin || request.url().startsWith('data:') || troubles.push(`asks ${request.url()}`));
await page.addInitScript(() => localStorage.getItem('rasid.prefs') ?? localStorage.setItem('rasid.prefs', JSON.stringify({ lang: 'en' })));

let passed = 0, failed = 0;
async function step(name, run) {
  const from = Date.now();
  try {
    await run();
    assert.deepEqual(troubles.splice(0), []);
    passed += 1;
    console.log(`ok      ${name} (${Date.now() - from} ms)`);
  } catch (error) {
    failed += 1;
    troubles.length = 0;
    console.log(`FAILED  ${name}\n${error.stack}`);
    await page.screenshot({ path: `${process.env.SHOTS ?? '/tmp'}/failed-${failed}.png` }).catch(() => {});
    await page.keyboard.press('Escape');
  }
}
const go = async (hash) => {
  await page.evaluate((to) => (location.hash = to), hash);
  await page.waitForTimeout(400);
};
const rows = page.locator('.alert-row');
const toast = (text) => page.locator('.toast', { hasText: text }).first().waitFor();
let opened, rule, entity;

await step('the address signs in, and keeps no token', async () => {
  await page.goto(url);
  await page.locator('.live.live').waitFor({ timeout: 60_000 });
  assert.doesNotMatch(page.url(), /token/);
});
await step('alerts arrive without a reload', async () => {
  await rows.first().waitFor({ timeout: 60_000 });
  const before = await rows.first().locator('a[data-main]').getAttribute('href');
  if (service) await page.waitForFunction((was) => document.querySelector('.alert-row a[data-main]').getAttribute('href') !== was, before, { timeout: 60_000 });
});
await step('a filter narrows, and is undone', async () => {
  await page.locator('.severities button').nth(2).click();
  await page.waitForFunction(() => document.querySelectorAll('.alert-row').length > 0 && !document.querySelector('.alert-row .sev1, .alert-row .sev0, .alert-row .sev3'));
  await page.getByText('Clear the filter').click();
  await rows.first().waitFor();
});
await step('groups unfold, by rule, by entity and as storms', async () => {
  for (const view of ['rule', 'entity', 'storm']) {
    await go(`#/alerts?view=${view}&status=any`);
    await page.locator('.group-row').first().waitFor();
    await page.locator('.row-toggle').first().click();
    await page.locator('.depth-1 .sev').first().waitFor();
  }
});
await step('an alert says why, is taken, judged and closed', async () => {
  await go('#/alerts');
  await rows.first().waitFor();
  await rows.first().locator('a[data-main]').click();
  await page.locator('.alert-head').waitFor();
  await page.locator('.explanation').waitFor();
  await page.locator('.timeline').waitFor();
  [opened, rule] = [await page.evaluate(() => location.hash), await page.locator('.alert-head a.rule').innerText()];
  entity = await page.locator('.alert-head a.entity').first().getAttribute('href').catch(() => null);
  await page.keyboard.press('a');
  await toast('The alert is yours');
  await page.locator('.alert-head .status.acknowledged').waitFor();
  await page.locator('.act-bar .true_positive').click();
  await page.locator('dialog .chip').first().click();
  await page.locator('dialog button[type=submit]').click();
  await toast('Verdict: Fraud');
  await page.locator('.timeline li', { hasText: 'Closed' }).waitFor();
});
await step('the rule’s precision has moved', async () => {
  await go(`#/rule/${rule}`);
  await page.locator('.figure.wide small', { hasText: /[1-9]\d* fraud/ }).waitFor();
  await page.locator('.yaml .key').first().waitFor();
});
await step('every page is whole, says nothing raw, and axe finds nothing, in both languages', async () => {
  const found = [];
  for (const lang of ['en', 'ar']) {
    await page.evaluate((to) => localStorage.setItem('rasid.prefs', JSON.stringify({ lang: to, theme: to === 'ar' ? 'dark' : 'light' })), lang);
    await page.reload();
    await page.locator('.live.live').waitFor();
    for (const hash of ['#/alerts?status=any&period=all', '#/alerts?view=rule', opened, entity, '#/rules', `#/rule/${rule}`, '#/health', '#/runbook/otp'].filter(Boolean)) {
      await go(hash);
      await page.locator('.waiting').first().waitFor({ state: 'detached' });
      await page.waitForTimeout(300);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${lang}-${hash.replace(/\W+/g, '_').slice(0, 40)}.png` });
      const problem = page.locator('.trouble').first();
      if (await problem.count()) found.push(`${hash}: ${await problem.innerText()}`);
      const raw = RAW.exec(await page.evaluate(() => [...document.querySelectorAll('main *:not(.yaml *, .markdown *)')].flatMap((one) => [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data)).join('\n')));
      if (raw) found.push(`${hash} shows ${raw[0]}`);
      // By the debugger's door: the page's policy lets no script in.
      const { violations } = await axe();
      found.push(...violations.map(({ id, nodes }) => `${hash} ${id}: ${nodes[0].html.slice(0, 160)}`));
    }
  }
  assert.deepEqual(found, []);
});
await step('the line is lost and comes back without a gap', async () => {
  await page.evaluate(() => localStorage.setItem('rasid.prefs', JSON.stringify({ lang: 'en' })));
  await page.reload();
  await page.locator('.live.live').waitFor();
  await context.setOffline(true);
  await page.evaluate(async () => (await import('./lib/live.js')).cut());
  await page.locator('.live.lost').waitFor();
  await context.setOffline(false);
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await page.locator('.live.live').waitFor();
  troubles.splice(0, troubles.length, ...troubles.filter((one) => !/ERR_INTERNET_DISCONNECTED/.test(one)));
});
await step('a rule is taken back', async () => {
  await go(`#/rule/${rule}`);
  await page.getByRole('button', { name: 'Take its alerts back' }).click();
  await page.locator('dialog input[type=radio]').nth(2).check();
  await page.locator('dialog textarea').fill('A drill');
  await page.locator('dialog button[type=submit]').click();
  await page.locator('dialog input').fill(rule);
  await page.locator('dialog button[type=submit]').click();
  await toast('are taken back');
  await go(opened);
  await page.locator('.note.warn', { hasText: 'Taken back' }).waitFor();
});

async function axe() {
  const cdp = await context.newCDPSession(page);
  await cdp.send('Runtime.evaluate', { expression: `${readFileSync(axePath, 'utf8')};0` });
  const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', { expression: 'axe.run(document).then((found) => JSON.stringify({ violations: found.violations }))', awaitPromise: true, returnByValue: true });
  await cdp.detach();
  if (exceptionDetails) throw new Error(exceptionDetails.text);
  return JSON.parse(result.value);
}

await browser.close();
service?.kill('SIGINT');
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
