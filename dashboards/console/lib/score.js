// An entity's score: one reason a rule, that halves in its half-life, and what is left of all reasons together.
// The formulas are those of the contract, section 4:
//
//   a further alert   r ← 1 − (1 − r·2^(−Δ/half_life))·(1 − risk/100), at its time; Δ < 0 counts as 0
//   score(t)          round(100·(1 − Π(1 − rᵢ·2^(−(t − tᵢ)/half_lifeᵢ))))

export const LEVELS = [['critical', 85], ['high', 60], ['medium', 30], ['low', 1]];

/** A score as the service says it, in the terms of this page. */
export const riskOf = ({ score, level, high_until, advice, advice_until, reasons }) => ({
  score, level: level ?? 'none', high_until_ms: high_until ?? null, advice: advice ?? null, advice_until_ms: advice_until ?? null,
  reasons: reasons.map(({ rule, risk, at, half_life_s }) => ({ rule, risk, at_ms: at, half_life_s })),
});

export const levelOf = (score) => LEVELS.find(([, from]) => score >= from)?.[0] ?? 'none';

const halved = (elapsedMs, halfLifeS) => 2 ** (-Math.max(0, elapsedMs) / 1000 / halfLifeS);

/** What is left of a reason `{risk 0..100, at_ms, half_life_s}` then, 0..1. */
export const left = ({ risk, at_ms, half_life_s }, ms) => (risk / 100) * halved(ms - at_ms, half_life_s);

/** The score that those reasons make then, 0..100. */
export const scoreAt = (reasons, ms) => Math.round(100 * (1 - reasons.reduce((product, reason) => product * (1 - left(reason, ms)), 1)));

/** The reasons after one more alert. */
export function after(reasons, { rule, risk, at_ms, half_life_s }) {
  const before = reasons.find((reason) => reason.rule === rule);
  const rest = before ? left(before, at_ms) : 0;
  const grown = { rule, risk: 100 * (1 - (1 - rest) * (1 - risk / 100)), at_ms: Math.max(at_ms, before?.at_ms ?? at_ms), half_life_s };
  return [...reasons.filter((reason) => reason.rule !== rule), grown];
}

/**
 * The score over time, from the alerts that made it (`{rule, risk, opened_at_ms, mode, retracted}`, any order), as two columns:
 * seconds and scores, for a chart. `halfLives` is by rule. Shadow alerts and those taken back weigh nothing.
 */
export function curve(alerts, halfLives, fromMs, untilMs, points = 240) {
  const weighing = alerts.filter(({ mode, retracted, risk }) => mode === 'active' && retracted === null && risk > 0).sort((a, b) => a.opened_at_ms - b.opened_at_ms);
  const step = Math.max(1, (untilMs - fromMs) / points);
  const [times, scores] = [[], []];
  let reasons = [], next = 0;
  const draw = (ms) => {
    times.push(ms / 1000);
    scores.push(scoreAt(reasons, ms));
  };
  const open = () => {
    const alert = weighing[next++];
    reasons = after(reasons, { rule: alert.rule, risk: alert.risk, at_ms: alert.opened_at_ms, half_life_s: halfLives.get(alert.rule) ?? 86_400 });
  };
  while (next < weighing.length && weighing[next].opened_at_ms < fromMs) open();
  for (let ms = fromMs; ms <= untilMs; ms += step) {
    while (next < weighing.length && weighing[next].opened_at_ms <= ms) {
      const at = weighing[next].opened_at_ms;
      if (times.length && at / 1000 > times.at(-1)) draw(at - 1);
      open();
      draw(at);
    }
    if (!times.length || ms / 1000 > times.at(-1)) draw(ms);
  }
  return [times, scores];
}
