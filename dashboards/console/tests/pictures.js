// Makes the pictures of docs/console.md anew, from the simulated day beside this file:
//
//   npm run pictures
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startMock } from './mock.js';

const out = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'docs', 'pictures');
mkdirSync(out, { recursive: true });
const BYTES_MAX = 60_000;
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const mock = await startMock({});
const busy = mock.book.alerts.find(({ info }) => info.rule === 'payment.mule' && mock.book.risk(info.entity)?.score > 80) ?? mock.book.alerts[0];
const code = mock.book.alerts.find(({ info }) => info.rule === 'auth.otp_flood').info;
Object.assign(code, { status: 'open', verdict: null, closed: null });
const storm = mock.book.originals.find(({ rule }) => rule === 'auth.otp_fanout');
const urgent = mock.book.originals.find(({ rule }) => rule === 'wave.takeover');
for (let n = 0; n < 180; n++) mock.arrive(1, { ...storm, entity: `ip:p0_${(n % 23).toString(36)}w4kq7xmz` });
mock.arrive(1, { ...urgent, severity: 'SEV0', rule: 'wave.money', title: 'Money of many parties is about to leave', explanation: '9 parties under suspicion in 2 h, limit 8, the last by payment.payout_after_change' });
mock.arrive(6);

const DESK = { width: 1280, height: 760 }, TALL = { width: 1280, height: 1000 }, PHONE = { width: 390, height: 800 };
const PICTURES = [
  ['alerts', DESK, { lang: 'en', theme: 'light' }, '#/alerts'],
  ['storms', DESK, { lang: 'en', theme: 'dark' }, '#/alerts?view=rule', async (page) => { await page.locator('.group-row', { hasText: 'auth.otp_fanout ' }).locator('.row-toggle').first().click(); await page.locator('.depth-1').first().waitFor(); }],
  ['alert', DESK, { lang: 'en', theme: 'light' }, `#/alert/${code.id}`],
  ['entity', TALL, { lang: 'en', theme: 'light' }, `#/entity/${encodeURIComponent(busy.info.entity)}`],
  ['rules', DESK, { lang: 'en', theme: 'light' }, '#/rules'],
  ['health', TALL, { lang: 'en', theme: 'dark' }, '#/health', (page) => page.waitForTimeout(21_000)],
  ['phone', PHONE, { lang: 'en', theme: 'dark' }, '#/alerts?severity=SEV0,SEV1'],
  ['phone-alert', PHONE, { lang: 'en', theme: 'light' }, `#/alert/${code.id}`],
  ['arabic', DESK, { lang: 'ar', theme: 'light' }, '#/alerts?view=rule'],
  ['phone-arabic', PHONE, { lang: 'ar', theme: 'dark' }, `#/alert/${code.id}`],
];

const converter = await (await browser.newContext()).newPage();
/** WebP as large as it may be. */
async function webp(png) {
  for (let quality = 0.9; quality > 0.2; quality -= 0.1) {
    const url = await converter.evaluate(async ([data, q]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', q);
    }, [png.toString('base64'), quality]);
    const bytes = Buffer.from(url.split(',')[1], 'base64');
    if (bytes.length < BYTES_MAX) return bytes;
  }
  throw new Error('too large at any quality');
}

for (const [name, viewport, prefs, hash, act] of PICTURES) {
  const context = await browser.newContext({ viewport, timezoneId: 'Africa/Cairo' });
  const page = await context.newPage();
  await page.addInitScript(([prefs_]) => {
    localStorage.setItem('rasid.prefs', JSON.stringify(prefs_));
    sessionStorage.setItem('rasid.token', 'rsd_admin');
  }, [prefs]);
  await page.goto(mock.url + hash);
  await page.locator('.live.live').waitFor();
  await page.waitForTimeout(600);
  await act?.(page);
  await page.waitForTimeout(400);
  const bytes = await webp(await page.screenshot());
  writeFileSync(join(out, `console-${name}.webp`), bytes);
  console.log(`console-${name}.webp ${bytes.length} bytes`);
  await context.close();
}
await browser.close();
await mock.stop();
