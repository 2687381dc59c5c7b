import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, curve, left, levelOf, scoreAt } from '../lib/score.js';

const HOUR = 3_600_000;
const alert = (rule, risk, opened_at_ms, more) => ({ rule, risk, opened_at_ms, mode: 'active', retracted: null, ...more });

test('a reason halves in its half-life, and never grows before its time', () => {
  const reason = { risk: 60, at_ms: 0, half_life_s: 3600 };
  assert.equal(left(reason, 0), 0.6);
  assert.equal(left(reason, HOUR), 0.3);
  assert.equal(left(reason, -HOUR), 0.6);
});

test('reasons make one score together, 0 to 100', () => {
  const at = (risk) => ({ rule: `r${risk}`, risk, at_ms: 0, half_life_s: 3600 });
  assert.equal(scoreAt([], 0), 0);
  assert.equal(scoreAt([at(60), at(50)], 0), 80);
  assert.equal(scoreAt([at(100), at(1)], 0), 100);
  assert.equal(scoreAt([at(60), at(50)], 1000 * HOUR), 0);
});

test('a further alert of a rule adds to what is left of its reason', () => {
  const once = after([], { rule: 'a.b', risk: 40, at_ms: 0, half_life_s: 3600 });
  const twice = after(once, { rule: 'a.b', risk: 40, at_ms: HOUR, half_life_s: 3600 });
  assert.equal(twice.length, 1);
  assert.ok(Math.abs(twice[0].risk - 100 * (1 - (1 - 0.2) * 0.6)) < 1e-9);
  // One that comes late counts as of now, and does not turn the clock back.
  assert.equal(after(twice, { rule: 'a.b', risk: 40, at_ms: 0, half_life_s: 3600 })[0].at_ms, HOUR);
});

test('levels begin where the contract says', () => {
  assert.deepEqual([0, 1, 29, 30, 59, 60, 84, 85, 100].map(levelOf), ['none', 'low', 'low', 'medium', 'medium', 'high', 'high', 'critical', 'critical']);
});

test('the curve rises at alerts, falls between, and its times only rise', () => {
  const halves = new Map([['a.b', 3600], ['c.d', 86_400]]);
  const alerts = [alert('c.d', 50, 5 * HOUR), alert('a.b', 60, 2 * HOUR), alert('a.b', 90, 3 * HOUR, { mode: 'shadow' }), alert('a.b', 90, 3 * HOUR, { retracted: 7 })];
  const [times, scores] = curve(alerts, halves, 0, 10 * HOUR, 40);
  assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]));
  const at = (hour) => scores[times.findLastIndex((time) => time <= hour * 3600)];
  assert.equal(at(1.9), 0);
  assert.equal(at(2), 60);
  assert.equal(at(3), 30);
  assert.equal(at(5), scoreAt([{ risk: 60, at_ms: 2 * HOUR, half_life_s: 3600 }, { risk: 50, at_ms: 5 * HOUR, half_life_s: 86_400 }], 5 * HOUR));
  assert.ok(at(10) < at(5));
});

test('what was opened before the curve begins is in it', () => {
  const [, scores] = curve([alert('a.b', 60, 0)], new Map([['a.b', 3600]]), HOUR, 2 * HOUR, 10);
  assert.equal(scores[0], 30);
});
