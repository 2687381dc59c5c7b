// Runs before anything is drawn, so that no page flashes in the wrong theme or direction. lib/prefs.js goes on from there.
try {
  const chosen = JSON.parse(localStorage.getItem('rasid.prefs') ?? '{}');
  const lang = chosen.lang ?? (navigator.language?.startsWith('ar') ? 'ar' : 'en');
  Object.assign(document.documentElement, { lang, dir: lang === 'ar' ? 'rtl' : 'ltr' });
  document.documentElement.dataset.theme = chosen.theme ?? 'auto';
} catch {
  // No storage: the defaults do.
}
