// The way back, above pages that one comes to from elsewhere.
import { t } from '../lib/i18n.js';
import { back } from '../lib/route.js';
import { html } from '../lib/view.js';
import { Icon } from './icons.js';

export const BackLink = () => html`<p class="back"><button type="button" class="bare" onClick=${back}><${Icon} name="chevron" size=${16} />${t('nav.back')}</button></p>`;
