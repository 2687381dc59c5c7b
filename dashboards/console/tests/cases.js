// What the console is held to.
import assert from 'node:assert/strict';
import './globals.js';
import { PAGES, axeCase } from './cases_axe.js';
import { BIG } from './cases_big.js';

const { compare } = await import('../lib/alerts.js');

const rowOf = (page, id) => page.locator(`.list a[href="#/alert/${id}"]`);
const live = (page) => page.locator('.live.live').waitFor({ timeout: 20_000 });
const ids = (page) => page.locator('.list .alert-row a[data-main]').evaluateAll((links) => links.map((link) => link.getAttribute('href').slice(8)));
const toast = (page, text) => page.locator('.toast', { hasText: text }).first().waitFor();

/** Everything that a page says, and that stands in its attributes. */
const shown = (page) => page.evaluate(() => document.documentElement.outerHTML);

export const CASES = [
  {
    name: 'a token is asked for, refused, taken, and forgotten',
    token: null,
    async run({ page, open }) {
      await open();
      await page.fill('input[name=token]', 'rsd_wrong');
      await page.click('button[type=submit]');
      await page.locator('.trouble', { hasText: 'not valid' }).waitFor();
      await page.fill('input[name=token]', 'rsd_reader');
      await page.click('button[type=submit]');
      await live(page);
      await page.locator('.alert-row').first().waitFor();
      assert.equal(await page.evaluate(() => localStorage.getItem('rasid.token')), null);
      // Who may only read is offered nothing else.
      assert.equal(await page.locator('.pick').count(), 0);
      await page.locator('.menu button').last().click();
      await page.locator('.who', { hasText: 'read:alerts' }).waitFor();
      await page.getByText('Sign out').click();
      await page.locator('input[name=token]').waitFor();
      assert.doesNotMatch(await shown(page), /al_[a-z0-9]{20}/);
      assert.equal(await page.evaluate(() => sessionStorage.getItem('rasid.token')), null);
    },
  },
  {
    name: 'alerts appear by themselves, newest first, and stay where one looks',
    async run({ page, mock, open }) {
      await open();
      await live(page);
      await page.locator('.alert-row').first().waitFor();
      const at = Date.now();
      const [one] = mock.arrive(1);
      await rowOf(page, one.id).waitFor();
      console.log(`        an alert is seen ${Date.now() - at} ms after it was opened`);
      assert.equal((await ids(page))[0], one.id);
      await page.locator('.list').evaluate((list) => (list.scrollTop = 2_000));
      await page.waitForTimeout(100);
      const before = await page.locator('.list').evaluate((list) => [...list.querySelectorAll('li')].find((row) => row.getBoundingClientRect().top >= list.getBoundingClientRect().top).querySelector('a').getAttribute('href'));
      mock.arrive(7);
      await page.locator('.pill', { hasText: '7 new' }).waitFor();
      const after = await page.locator('.list').evaluate((list) => [...list.querySelectorAll('li')].find((row) => row.getBoundingClientRect().top >= list.getBoundingClientRect().top).querySelector('a').getAttribute('href'));
      assert.equal(after, before);
      await page.locator('.pill').click();
      await page.locator('.pill').waitFor({ state: 'detached' });
      assert.ok((await page.locator('.list li').count()) < 60, 'only what is seen is in the page');
    },
  },
  {
    name: 'a filter is in the address, narrows what is there and what arrives, and is undone',
    async run({ page, mock, open }) {
      await open();
      await page.locator('.alert-row').first().waitFor();
      await page.locator('.severities button', { hasText: 'SEV1' }).click();
      await page.locator('.severities button', { hasText: 'SEV0' }).click();
      await page.waitForFunction(() => document.querySelectorAll('.alert-row .sev2, .alert-row .sev3').length === 0 && document.querySelectorAll('.alert-row').length > 0);
      assert.match(page.url(), /severity=SEV0,SEV1/);
      const [loud] = mock.arrive(1, { severity: 'SEV1' });
      const [quiet] = mock.arrive(1, { severity: 'SEV3' });
      await rowOf(page, loud.id).waitFor();
      assert.equal(await rowOf(page, quiet.id).count(), 0);
      await page.reload();
      await rowOf(page, loud.id).waitFor();
      await page.fill('#find', 'payment');
      await page.press('#find', 'Enter');
      await page.waitForFunction(() => location.hash.includes('area=payment'));
      await page.waitForFunction(() => [...document.querySelectorAll('.row-rule')].every((rule) => rule.textContent.startsWith('payment.')));
      await page.getByText('Clear the filter').click();
      await rowOf(page, quiet.id).waitFor();
      await page.fill('#find', loud.id);
      await page.press('#find', 'Enter');
      await page.locator('.alert-head').waitFor();
    },
  },
  {
    name: 'one opens an alert, reads why, takes it, judges it, and the rule’s precision moves',
    async run({ page, mock, open }) {
      const [one] = mock.arrive(1, { ...mock.book.originals.find(({ rule }) => rule === 'auth.otp_flood') });
      await open('#/rule/auth.otp_flood');
      const before = await page.locator('.figure.wide small').innerText();
      await open('#/alerts');
      await rowOf(page, one.id).click();
      await page.locator('.explanation', { hasText: '9 codes in 10 min, limit 8' }).waitFor();
      const met = page.locator('.values tr.met');
      assert.match(await met.first().innerText(), /sends\s+9\s+over 8/);
      await page.locator('.advice', { hasText: 'Challenge' }).first().waitFor();
      await page.getByRole('button', { name: 'Take it' }).click();
      await toast(page, 'The alert is yours');
      await page.locator('.alert-head .status.acknowledged', { hasText: 'karim' }).waitFor();
      await page.locator('.act-bar').getByRole('button', { name: 'False alarm' }).click();
      await page.locator('dialog .chip').first().click();
      await page.locator('dialog button[type=submit]').click();
      await toast(page, 'Verdict: False alarm');
      await page.locator('.timeline li', { hasText: 'Verdict: False alarm' }).waitFor();
      await page.locator('.timeline li', { hasText: 'Closed' }).waitFor();
      assert.deepEqual([mock.book.info(one.id).verdict, mock.book.info(one.id).status], ['false_positive', 'closed']);
      await page.locator('.alert-head a.rule').click();
      await page.locator('.figure.wide').waitFor();
      assert.notEqual(await page.locator('.figure.wide small').innerText(), before);
      await page.goBack();
      await page.locator('.runbook').first().click();
      await page.getByRole('heading', { name: 'One-time codes' }).waitFor();
    },
  },
  {
    name: 'all of it goes by keys',
    async run({ page, mock, open }) {
      await open();
      await page.locator('.alert-row').first().waitFor();
      const [first, second, third] = await ids(page);
      for (const key of ['j', 'j']) await page.keyboard.press(key);
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), `#/alert/${second}`);
      await page.keyboard.press('Enter');
      await page.locator('.alert-head').waitFor();
      await page.keyboard.press('j');
      await page.waitForFunction((id) => location.hash === `#/alert/${id}`, third);
      await page.keyboard.press('k');
      await page.waitForFunction((id) => location.hash === `#/alert/${id}`, second);
      await page.keyboard.press('a');
      await toast(page, 'The alert is yours');
      await page.evaluate(() => (location.hash = '#/alerts'));
      // One goes on at the row that one came from.
      await page.waitForFunction((id) => document.activeElement.getAttribute('href') === `#/alert/${id}`, second);
      await page.keyboard.press('k');
      await page.keyboard.press('x');
      await page.keyboard.press('j');
      await page.keyboard.press('j');
      await page.keyboard.press('x');
      await page.locator('.picked', { hasText: '2 alerts selected' }).waitFor();
      await page.keyboard.press('c');
      await page.locator('dialog textarea').fill('A known outage');
      await page.keyboard.press('Tab');
      await page.locator('dialog button[type=submit]').click();
      await toast(page, '2 alerts closed');
      await rowOf(page, first).waitFor({ state: 'detached' });
      assert.deepEqual([first, third].map((id) => mock.book.info(id).status), ['closed', 'closed']);
      await page.keyboard.press('/');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'find');
      await page.keyboard.press('Escape');
      await page.keyboard.press('?');
      await page.locator('dialog', { hasText: 'Keys' }).waitFor();
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
      await page.keyboard.press('g');
      await page.keyboard.press('h');
      await page.locator('.verdict-line').waitFor();
    },
  },
  {
    name: 'a lost line is shown, and what was missed comes without a gap',
    async run({ page, mock, open }) {
      await open();
      await live(page);
      await page.locator('.alert-row').first().waitFor();
      const early = mock.arrive(3);
      await rowOf(page, early[2].id).waitFor();
      const before = mock.requests.length;
      mock.down = true;
      mock.cut();
      await page.locator('.live.lost', { hasText: 'Connection lost' }).waitFor();
      const missed = mock.arrive(12);
      mock.book.say([early[0].id], 'close', 'amal', { why: 'Done' });
      await page.waitForTimeout(2_500);
      assert.equal(await rowOf(page, missed[0].id).count(), 0);
      mock.down = false;
      const at = Date.now();
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await live(page);
      await rowOf(page, missed[11].id).waitFor();
      console.log(`        caught up ${Date.now() - at} ms after the network was back`);
      await rowOf(page, early[0].id).waitFor({ state: 'detached' });
      const there = await ids(page);
      assert.deepEqual(there.slice(0, 12), missed.toSorted(compare).map(({ id }) => id));
      const streams = mock.requests.filter((one) => one.includes('/stream')).length;
      assert.ok(streams >= 2);
      assert.deepEqual(mock.requests.slice(before).filter((one) => /\/v1\/alerts\?/.test(one)), [], 'the list was not loaded anew');
    },
  },
  {
    name: 'the stream that ends by itself is taken up again, and nobody sees it',
    async run({ page, mock, open }) {
      mock.streamMs = 2_500;
      await open();
      await live(page);
      await page.locator('.alert-row').first().waitFor();
      await page.evaluate(() => {
        window.states = new Set();
        new MutationObserver(() => window.states.add(document.querySelector('.live').className)).observe(document.querySelector('.bar'), { subtree: true, attributes: true, childList: true });
      });
      const all = [];
      for (let n = 0; n < 12; n++) {
        all.push(...mock.arrive(1));
        await page.waitForTimeout(500);
      }
      await rowOf(page, all.at(-1).id).waitFor();
      assert.ok(mock.requests.filter((one) => one.includes('/stream')).length >= 3);
      assert.deepEqual((await ids(page)).slice(0, 12), all.toSorted(compare).map(({ id }) => id));
      assert.ok(!(await page.evaluate(() => [...window.states])).some((state) => /lost|connecting|catching/.test(state)));
    },
  },
  {
    name: 'a token behind the address is taken, and does not stay there',
    token: null,
    async run({ page, mock }) {
      await page.goto(`${mock.url}#token=rsd_admin`);
      await live(page);
      await page.locator('.alert-row').first().waitFor();
      assert.doesNotMatch(page.url(), /token/);
      await page.reload();
      await live(page);
      await page.evaluate(() => (location.hash = '#token=rsd_reader'));
      await page.locator('.bar', { hasText: 'noor' }).waitFor();
      assert.doesNotMatch(page.url(), /token/);
    },
  },
  {
    name: 'a device that slept is not shown what is old',
    async run({ page, mock, open }) {
      await page.clock.install();
      await open();
      await live(page);
      await page.locator('.alert-row').first().waitFor();
      mock.hush(true); // the connection is dead, and nobody says so
      const missed = mock.arrive(5);
      await page.clock.fastForward('02:00:00');
      mock.hush(false);
      await page.clock.runFor(3_000);
      await rowOf(page, missed[4].id).waitFor();
      await live(page);
      assert.ok(mock.requests.filter((one) => one.includes('/stream')).length >= 2);
    },
  },
  {
    name: 'a storm is one row: unfolded, counted as it goes on, and closed in one act',
    async run({ page, mock, open }) {
      const original = mock.book.originals.find(({ rule }) => rule === 'auth.otp_fanout');
      for (let n = 0; n < 1_200; n++) mock.arrive(1, { ...original, entity: `ip:p0_storm${n % 40}` });
      await open('#/alerts?view=rule&rule=auth.otp_fanout');
      const row = page.locator('.group-row').first();
      await row.waitFor();
      const count = async () => Number((await row.locator('.row-counts strong span').getAttribute('title')).replace(/,/g, ''));
      const before = await count();
      assert.ok(before >= 1_200);
      mock.arrive(1, { ...original, entity: 'ip:p0_storm1' });
      await page.waitForFunction((n) => Number(document.querySelector('.row-counts strong span').title.replace(/,/g, '')) === n, before + 1);
      await row.locator('.row-toggle').click();
      await page.locator('.group-row.depth-1').nth(5).waitFor();
      await page.locator('.group-row.depth-1 .row-toggle').first().click();
      await page.locator('.alert-row.depth-2').first().waitFor();
      await row.locator('.row-menu button').click();
      await page.getByRole('button', { name: /Close all/ }).click();
      await page.locator('dialog textarea').fill('The rule is wrong');
      const at = Date.now();
      await page.locator('dialog button[type=submit]').click();
      await page.locator('.toast', { hasText: 'alerts closed' }).waitFor();
      console.log(`        ${before + 1} alerts closed in ${Date.now() - at} ms`);
      const open_ = mock.book.alerts.filter(({ info }) => info.rule === 'auth.otp_fanout' && info.status !== 'closed' && info.opened_at_ms > Date.now() - 86_400_000);
      assert.equal(open_.length, 0);
      await page.locator('.empty').waitFor({ timeout: 10_000 });
    },
  },
  {
    name: 'a bad rule is taken back, but only after it was said twice',
    async run({ page, mock, open }) {
      const rule = mock.book.alerts.at(-1).info.rule;
      await open(`#/rule/${rule}`);
      await page.getByRole('button', { name: 'Take its alerts back' }).click();
      await page.locator('dialog textarea').fill('Wrong limit');
      await page.locator('dialog button[type=submit]').click();
      const last = page.locator('dialog button[type=submit]');
      assert.equal(await last.isDisabled(), true);
      assert.equal(mock.book.alerts.at(-1).info.retracted, null);
      await page.locator('dialog input').fill(rule);
      await last.click();
      await toast(page, 'are taken back');
      assert.notEqual(mock.book.alerts.at(-1).info.retracted, null);
    },
  },
  {
    name: 'who may not is told so in the service’s words',
    token: 'rsd_reader',
    async run({ page, open }) {
      await open('#/rule/auth.otp_flood');
      await page.locator('.yaml').waitFor();
      assert.equal(await page.locator('.danger').count(), 0);
      const refused = await page.evaluate(async () => (await import('./lib/api.js')).post('/v1/retract', {}).catch((problem) => [problem.status, problem.detail]));
      assert.deepEqual(refused, [403, 'the token lacks the scope admin']);
      await open('#/alert/al_nosuch');
      await page.locator('.trouble', { hasText: 'It is not there' }).waitFor();
    },
  },
  {
    name: 'an entity shows its score, the reasons, and who stands beside it',
    async run({ page, mock, open }) {
      const busy = mock.book.alerts.find(({ info }) => info.rule === 'payment.mule').info.entity;
      await open(`#/entity/${encodeURIComponent(busy)}`);
      const risk = mock.book.risk(busy);
      await page.locator('.score.big', { hasText: String(risk.score) }).waitFor();
      assert.equal(await page.locator('.reasons li').count(), risk.reasons.length);
      await page.locator('.chart canvas').waitFor();
      const drawn = await page.locator('.chart canvas').evaluate((canvas) => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size);
      assert.ok(drawn > 10, 'the chart is drawn');
      await page.locator('.graph a').first().click();
      await page.waitForFunction((one) => location.hash.startsWith('#/entity/') && !location.hash.includes(encodeURIComponent(one)), busy);
    },
  },
  {
    name: 'in Arabic all of it runs from right to left, with its own numbers',
    prefs: { lang: 'ar' },
    async run({ page, mock, open }) {
      await open();
      await page.locator('.live.live', { hasText: 'مباشر' }).waitFor();
      assert.deepEqual(await page.evaluate(() => [document.documentElement.dir, document.documentElement.lang]), ['rtl', 'ar']);
      mock.arrive(1);
      await page.locator('.row-age', { hasText: 'الآن' }).waitFor();
      for (const hash of PAGES(mock)) {
        await page.evaluate((to) => (location.hash = to), hash);
        await page.waitForTimeout(250);
        // Words of the page's own, in buttons and headings of sections, are Arabic.
        const english = await page.locator('button:visible, h2:visible, .bar a:visible').evaluateAll((all) => all.filter((one) => !one.closest('[dir=ltr], .segments, .who, .said') && !one.querySelector('code, bdi, .said')).map((one) => one.innerText.trim()).filter((text) => /^[A-Za-z ]{4,}$/.test(text)));
        assert.deepEqual(english.filter((text) => !/^SEV/.test(text)), [], hash);
      }
      const first = await page.locator('.bar .brand').boundingBox(), last = await page.locator('.bar .menu').boundingBox();
      assert.ok(first.x > last.x);
      await page.locator('.bar .menu button').click();
      await page.locator('label', { hasText: 'English' }).click();
      await page.locator('.live.live', { hasText: 'Live' }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.dir), 'ltr');
    },
  },
  {
    name: 'on a phone everything is within reach of a thumb',
    viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true,
    async run({ page, mock, open }) {
      for (const hash of PAGES(mock)) {
        await open(hash);
        await page.waitForTimeout(300);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, `${hash} is too wide`);
      }
      await open('#/alerts');
      await page.locator('.alert-row').first().tap();
      await page.locator('.act-bar').waitFor();
      const small = await page.locator('.act-bar button, .tabs a').evaluateAll((all) => all.map((one) => one.getBoundingClientRect()).filter(({ height }) => height < 40).length);
      assert.equal(small, 0);
      await page.getByRole('button', { name: 'Take it' }).tap();
      await toast(page, 'The alert is yours');
    },
  },
  axeCase('light, English', { lang: 'en', theme: 'light' }),
  axeCase('dark, Arabic', { lang: 'ar', theme: 'dark' }),
  axeCase('dark, English', { lang: 'en', theme: 'dark' }, { slow: true }),
  axeCase('light, Arabic, phone', { lang: 'ar', theme: 'light' }, { slow: true, viewport: { width: 390, height: 844 } }),
  ...BIG,
];
