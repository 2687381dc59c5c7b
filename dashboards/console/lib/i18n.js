// Words of the page in the language chosen. A word is a text with {names}, or one text for each plural category.
import ar from '../lang/ar.js';
import en from '../lang/en.js';
import { clock, lang } from './prefs.js';

const WORDS = { en, ar };
const LOCALES = { en: 'en-GB', ar: 'ar-EG' };
const ZONES = { cairo: 'Africa/Cairo', utc: 'UTC', local: undefined };

/** For Intl. */
export const locale = () => LOCALES[lang.value];
/** The time zone chosen; undefined is the device's. */
export const zone = () => ZONES[clock.value];

/** Intl's makers are dear to build, and few. */
const made = new Map();
const NONE = {};
export function intl(Maker, options = NONE) {
  const place = `${lang.value} ${clock.value} ${Maker.name}`;
  let of = made.get(place);
  if (!of) made.set(place, (of = new Map()));
  // Mostly it is the same object that asks again.
  let maker = of.get(options);
  if (!maker) {
    const key = JSON.stringify(options);
    maker = of.get(key) ?? new Maker(locale(), Maker === Intl.DateTimeFormat ? { timeZone: zone(), ...options } : options);
    of.set(key, maker);
    if (Object.isFrozen(options)) of.set(options, maker);
  }
  return maker;
}

/** The text of that key. `n` chooses the plural, and is written as a number of the language; so is every other number. */
export function t(key, values = {}) {
  const word = WORDS[lang.value][key] ?? en[key];
  if (word === undefined) throw new Error(`no word for ${key}`);
  const text = typeof word === 'string' ? word : (word[intl(Intl.PluralRules).select(values.n)] ?? word.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? intl(Intl.NumberFormat).format(value) : String(value ?? '');
  });
}

/** Whether there is a word of that key. */
export const has = (key) => en[key] !== undefined;
