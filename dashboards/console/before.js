// Runs before anything is drawn. No page flashes in the wrong theme or direction; lib/prefs.js goes on from there. And a token that came behind the address's `#`
// (`rasid demo --console` opens the page so) is kept for this tab, and stands in the address no longer than that.
try {
  const chosen = JSON.parse(localStorage.getItem('rasid.prefs') ?? '{}');
  const lang = chosen.lang ?? (navigator.language?.startsWith('ar') ? 'ar' : 'en');
  Object.assign(document.documentElement, { lang, dir: lang === 'ar' ? 'rtl' : 'ltr' });
  document.documentElement.dataset.theme = chosen.theme ?? 'auto';
} catch {
  // No storage: the defaults do.
}

function takeToken() {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (!token) return false;
  history.replaceState(null, '', location.pathname);
  try {
    sessionStorage.setItem('rasid.token', token);
  } catch {
    // No storage: it has to be typed in.
  }
  return true;
}

takeToken();
addEventListener('hashchange', () => takeToken() && location.reload());
