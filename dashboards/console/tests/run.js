// Drives the console in headless Chromium against the mock server, as the people do for whom it is:
//
//   npm ci && npm run browser [-- NAME…]      only the cases whose names hold one of these words
//   npm run browser -- --all                  the slow ones too
//
// CHROMIUM names the browser (default /usr/bin/chromium). Each case prints what it measured; the last line counts.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { CASES } from './cases.js';
import { startMock } from './mock.js';

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const isAll = process.argv.includes('--all');
const wanted = process.argv.slice(2).filter((word) => word !== '--all');
let passed = 0, failed = 0;

for (const { name, run, slow = false, count = 0, token = 'rsd_admin', prefs = { lang: 'en' }, bypassCSP = false, ...options } of CASES) {
  if (wanted.length ? !wanted.some((word) => name.includes(word)) : slow && !isAll) continue;
  const mock = await startMock({ count });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, timezoneId: 'Africa/Cairo', bypassCSP, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on('pageerror', (error) => troubles.push(`page error: ${error.stack}`));
  page.on('console', (message) => {
    // What is refused on purpose is told by the browser as well.
    if (message.type() === 'error' && !/Failed to load resource|net::ERR_/.test(message.text())) troubles.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => new URL(request.url()).origin === new URL(mock.url).origin || request.url().startsWith('data:') || troubles.push(`asks ${request.url()}`));
  await page.addInitScript(([prefs_, token_]) => {
    localStorage.getItem('rasid.prefs') ?? localStorage.setItem('rasid.prefs', JSON.stringify(prefs_));
    if (token_ && !sessionStorage.getItem('told')) sessionStorage.setItem('rasid.token', token_);
    sessionStorage.setItem('told', 'yes');
  }, [prefs, token]);
  const open = async (hash = '') => {
    await page.goto(`${mock.url}${hash}`);
    if (token) await page.locator('main').first().waitFor();
  };
  const started = Date.now();
  try {
    await run({ page, mock, open, context, axePath });
    if (troubles.length) throw new Error(troubles.join('\n'));
    passed += 1;
    console.log(`ok      ${name} (${Date.now() - started} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}\n${troubles.join('\n')}`);
    if (process.env.SHOT) await page.screenshot({ path: `${process.env.SHOT}/${name.replace(/\W+/g, '_')}.png` }).catch(() => {});
  }
  await context.close();
  await mock.stop();
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
