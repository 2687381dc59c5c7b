// Every page as people see it who see otherwise: contrast, names, sizes, and that nothing raw is on it.
import assert from 'node:assert/strict';

/** One address of each page. */
export const PAGES = (mock) => {
  const busy = mock.book.alerts.find(({ info, alert }) => info.rule === 'payment.mule' && alert.related.length);
  return ['#/alerts', '#/alerts?view=rule', '#/alerts?view=entity&status=any', '#/alerts?view=storm', `#/alert/${busy.info.id}`, `#/entity/${encodeURIComponent(busy.info.entity)}`, '#/rules', '#/rule/auth.otp_flood', '#/health', '#/runbook/otp'];
};

const axe = async (page, axePath) => {
  if (!(await page.evaluate(() => 'axe' in window))) await page.addScriptTag({ path: axePath });
  const found = await page.evaluate(async () => {
    const options = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
    return (await window.axe.run(document, options)).violations.map(({ id, nodes }) => `${id}: ${nodes.length} × ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
  });
  return found;
};

/** axe finds nothing on any page, nothing is too wide, and nothing raw stands there. */
export const axeCase = (name, prefs, options = {}) => ({
  name: `axe finds nothing on any page, ${name}`, prefs, bypassCSP: true, ...options,
  async run({ page, mock, open, axePath }) {
    const found = [];
    await open();
    for (const hash of PAGES(mock)) {
      await page.evaluate((to) => (location.hash = to), hash);
      await page.waitForTimeout(350);
      await page.locator('.waiting').first().waitFor({ state: 'detached' });
      if (hash.includes('view=')) await page.locator('.row-toggle').first().click();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push(`${hash} is ${wide} px too wide`);
      found.push(...(await axe(page, axePath)).map((one) => `${hash} ${one}`));
      // Nothing raw: no number of a phone, no address of a mailbox.
      // (A rule file has numbers of its own, in its tests.)
      const raw = (await page.evaluate(() => [...document.querySelectorAll('body *:not(.yaml *)')].flatMap((one) => [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data)).join('\n'))).match(/\+?20 ?1[0125]\d{8}|[\w.]+@[\w-]+\.\w+/g);
      if (raw) found.push(`${hash} shows ${raw[0]}`);
    }
    await page.evaluate(() => (location.hash = '#/alerts'));
    await page.locator('.alert-row').first().waitFor();
    await page.locator('.menu button').last().click();
    found.push(...(await axe(page, axePath)).map((one) => `menu ${one}`));
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('c');
    await page.locator('dialog').waitFor();
    found.push(...(await axe(page, axePath)).map((one) => `dialog ${one}`));
    assert.deepEqual(found, []);
  },
});
