// Signing in: a token is shown to the service, which says whose it is and what it may do.
import { whoIs } from '../lib/api.js';
import { t } from '../lib/i18n.js';
import { ended, keep, me } from '../lib/session.js';
import { html, useState } from '../lib/view.js';
import { Choices } from '../parts/bar.js';
import { toast } from '../parts/dialog.js';
import { Trouble } from '../parts/marks.js';

export function SignIn() {
  const [shown, setShown] = useState('');
  const [onDevice, setOnDevice] = useState(false);
  const [state, setState] = useState({ busy: false, problem: null });
  async function send(event) {
    event.preventDefault();
    setState({ busy: true, problem: null });
    try {
      const answer = await whoIs(shown.trim());
      keep(shown.trim(), onDevice);
      me.value = answer;
      toast(t('signin.welcome', { owner: answer.owner }));
    } catch (problem) {
      setState({ busy: false, problem });
    }
  }
  return html`
    <main class="signin" tabindex="-1">
      <form class="card" onSubmit=${send}>
        <img src="icon.svg" alt="" width="44" height="44" />
        <h1>${t('signin.title')}</h1>
        <p class="muted">${ended.value === 'expired' ? t('signin.expired') : t('signin.about')}</p>
        <label class="field"><span>${t('signin.token')}</span>
          <input type="password" name="token" autocomplete="current-password" spellcheck="false" dir="ltr" required value=${shown} onInput=${(event) => setShown(event.target.value)} placeholder="rsd_…" />
        </label>
        <label class="check"><input type="checkbox" checked=${onDevice} onChange=${(event) => setOnDevice(event.target.checked)} /> ${t('signin.keep')}</label>
        <p class="hint">${t(onDevice ? 'signin.keep.device' : 'signin.keep.tab')}</p>
        ${state.problem && html`<${Trouble} problem=${state.problem} />`}
        <button type="submit" class="primary" disabled=${state.busy}>${t('signin.go')}</button>
        <p class="hint">${t('signin.how')} <code dir="ltr">rasid token create --owner NAME</code></p>
      </form>
      <div class="signin-prefs"><${Choices} /></div>
    </main>
  `;
}
