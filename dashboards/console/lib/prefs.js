// What a person chose about the page: theme, language, clock. Kept on the device; before.js reads it before anything is drawn.
import { effect, signal } from './view.js';

const KEY = 'rasid.prefs';

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}');
  } catch {
    return {}; // no storage, or not ours: the defaults do
  }
}

const before = kept();
/** `auto`, `light` or `dark`. */
export const theme = signal(before.theme ?? 'auto');
/** `en` or `ar`. */
export const lang = signal(before.lang ?? (navigator.language?.startsWith('ar') ? 'ar' : 'en'));
/** `cairo`, `utc` or `local`. */
export const clock = signal(before.clock ?? 'cairo');

effect(() => {
  const chosen = { theme: theme.value, lang: lang.value, clock: clock.value };
  const page = document.documentElement;
  page.dataset.theme = chosen.theme;
  page.lang = chosen.lang;
  page.dir = chosen.lang === 'ar' ? 'rtl' : 'ltr';
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // Storage is refused: the choice holds until the page is closed.
  }
});
