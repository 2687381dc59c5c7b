// How many alerts came while another tab was looked at, in the tab's name.
import { t } from './i18n.js';
import { listen } from './live.js';

let missed = 0;
const say = () => (document.title = missed ? `(${missed}) ${t('brand')}` : t('brand'));

listen(({ event, data }) => {
  if (event !== 'alert' || document.visibilityState === 'visible' || data.mode !== 'active') return;
  missed += 1;
  say();
});
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  missed = 0;
  say();
});
