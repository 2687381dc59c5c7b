// Numbers and times as a person reads them.
import { intl, t } from './i18n.js';
import { DAY, HOUR, MINUTE } from './units.js';

// Frozen, they are looked up as they are.
const WHOLE = Object.freeze({ maximumFractionDigits: 0 });
const COMPACT = Object.freeze({ notation: 'compact', maximumFractionDigits: 1 });
const PERCENT = Object.freeze({ style: 'percent', maximumFractionDigits: 0 });
const AGO = Object.freeze({ style: 'short', numeric: 'always' });
const CLOCK = Object.freeze({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const SHORT = Object.freeze({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const DAY_TIME = Object.freeze({ day: 'numeric', month: 'short', ...SHORT });
const FULL = Object.freeze({ day: 'numeric', month: 'long', year: 'numeric', ...CLOCK, timeZoneName: 'short' });

/** 12,345 */
export const number = (value, digits = 0) => intl(Intl.NumberFormat, digits ? { maximumFractionDigits: digits } : WHOLE).format(value);
/** 12k */
export const compact = (value) => intl(Intl.NumberFormat, COMPACT).format(value);
/** 83 % */
export const percent = (value) => intl(Intl.NumberFormat, PERCENT).format(value);
/** 14:05:09 */
export const clockTime = (ms) => intl(Intl.DateTimeFormat, CLOCK).format(ms);
/** 14:05 */
export const shortTime = (ms) => intl(Intl.DateTimeFormat, SHORT).format(ms);
/** 30 Nov 14:05 */
export const dayTime = (ms) => intl(Intl.DateTimeFormat, DAY_TIME).format(ms);
/** 30 November 2026, 14:05:09 EET */
export const fullTime = (ms) => intl(Intl.DateTimeFormat, FULL).format(ms);

/** The largest unit of a span and how many of it: `[3, 'minute']`. */
export function span(ms) {
  const whole = Math.max(0, ms);
  if (whole < MINUTE) return [Math.floor(whole / 1000), 'second'];
  if (whole < HOUR) return [Math.floor(whole / MINUTE), 'minute'];
  if (whole < 2 * DAY) return [Math.floor(whole / HOUR), 'hour'];
  return [Math.floor(whole / DAY), 'day'];
}

/** 3 min */
export function duration(ms, long = false) {
  if (ms > 0 && ms < 1000) return `${intl(Intl.NumberFormat, { style: 'unit', unit: 'millisecond', unitDisplay: 'short', maximumFractionDigits: 0 }).format(ms)}`;
  const [value, unit] = span(ms);
  return intl(Intl.NumberFormat, { style: 'unit', unit, unitDisplay: long ? 'long' : 'short' }).format(value);
}

/** 3 min ago. What is a little ahead of this device's clock is of now. */
export function ago(ms, now) {
  if (now - ms < 5_000) return t('time.now');
  const [value, unit] = span(now - ms);
  return intl(Intl.RelativeTimeFormat, AGO).format(-value, unit);
}

/** 1.2 GB, by thousands. */
export function bytes(value) {
  const step = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  const unit = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'][step];
  return intl(Intl.NumberFormat, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 1 }).format(value / 1000 ** step);
}

/** Units that the names of values end in: SI, as the contract has them. */
const UNITS = { m: 'meter', s: 'second', mps: 'meter-per-second', chars: null };

/** A value of an alert: numbers in the language's form, with the unit that its name ends in; all else as it is. */
export function value(name, what) {
  if (what === null || what === undefined || what === '') return '–';
  if (typeof what === 'boolean') return t(what ? 'value.yes' : 'value.no');
  if (typeof what === 'number') {
    const stem = name.replace(/_(min|max)$/, '');
    const unit = UNITS[/_([a-z]+)$/.exec(stem)?.[1]];
    if (unit) return intl(Intl.NumberFormat, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 3 }).format(what);
    return number(what, 3);
  }
  if (typeof what === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(what)) return fullTime(Date.parse(what));
  return typeof what === 'object' ? JSON.stringify(what) : String(what);
}

/** `user:u_42` in its two parts. */
export function entityParts(entity) {
  const at = entity.indexOf(':');
  return at < 0 ? ['', entity] : [entity.slice(0, at), entity.slice(at + 1)];
}

/** The id short enough for a row: pseudonyms are 29 characters that nobody reads. */
export const shortId = (id) => (id.length > 15 ? `${id.slice(0, 9)}…${id.slice(-4)}` : id);
