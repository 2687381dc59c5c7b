//! What must not be: `--fail-if alerts_per_day.auth.otp_flood > 200`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::report::Report;

/// What a report has a number of, for a rule or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    Alerts,
    AlertsPerDay,
    Entities,
    Precision,
    Recall,
    New,
    Gone,
    Moved,
    Changed,
}

const METRICS: [(&str, Metric); 9] = [
    ("alerts", Metric::Alerts),
    ("alerts_per_day", Metric::AlertsPerDay),
    ("entities", Metric::Entities),
    ("precision", Metric::Precision),
    ("recall", Metric::Recall),
    ("new", Metric::New),
    ("gone", Metric::Gone),
    ("moved", Metric::Moved),
    ("changed", Metric::Changed),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    Below,
}

/// A condition under which a change is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    metric: Metric,
    /// A rule, or `all`.
    of: String,
    comparison: Comparison,
    limit: f64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// As it was written.
    pub gate: Gate,
    /// What was found; `None` where there is no such number.
    pub value: Option<f64>,
    /// Whether the change is refused: also where the number is missing, which is no reason to let it pass.
    pub failed: bool,
}

/// It is written otherwise.
#[derive(Debug, thiserror::Error)]
#[error("`{text}`: {what}; expected METRIC.RULE > NUMBER or < NUMBER, such as alerts_per_day.auth.otp_flood > 200 or precision.all < 0.9")]
pub struct GateError {
    text: String,
    what: String,
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let wrong = |what: String| GateError { text: text.to_owned(), what };
        let (name, limit, comparison) = match (text.split_once('>'), text.split_once('<')) {
            (Some((name, limit)), None) => (name, limit, Comparison::Above),
            (None, Some((name, limit))) => (name, limit, Comparison::Below),
            _ => return Err(wrong("there is not one `>` or `<`".to_owned())),
        };
        let (metric, of) = name.trim().split_once('.').ok_or_else(|| wrong("there is no rule, nor `all`, behind the metric".to_owned()))?;
        let known = METRICS.iter().find(|(name, _)| *name == metric).map(|(_, metric)| *metric);
        let names = || METRICS.map(|(name, _)| name).join(", ");
        let metric = known.ok_or_else(|| wrong(format!("`{metric}` is none of {}", names())))?;
        let limit: f64 = limit.trim().parse().map_err(|_| wrong(format!("`{}` is no number", limit.trim())))?;
        if !limit.is_finite() {
            return Err(wrong("the limit has no value".to_owned()));
        }
        Ok(Self { metric, of: of.to_owned(), comparison, limit })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = METRICS.iter().find(|(_, metric)| *metric == self.metric).map_or("", |(name, _)| name);
        let sign = if self.comparison == Comparison::Above { '>' } else { '<' };
        write!(f, "{metric}.{} {sign} {}", self.of, self.limit)
    }
}

impl Serialize for Gate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Gate {
    /// The rule that it is about; `None` of all.
    pub fn rule(&self) -> Option<&str> {
        (self.of != "all").then_some(self.of.as_str())
    }

    /// Whether it speaks of what differs from a baseline.
    pub fn compares(&self) -> bool {
        matches!(self.metric, Metric::New | Metric::Gone | Metric::Moved | Metric::Changed)
    }

    /// Holds a report to it.
    pub fn judge(&self, report: &Report) -> Outcome {
        let value = self.value(report);
        let failed = value.is_none_or(|value| match self.comparison {
            Comparison::Above => value > self.limit,
            Comparison::Below => value < self.limit,
        });
        Outcome { gate: self.clone(), value, failed }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn value(&self, report: &Report) -> Option<f64> {
        let (measures, comparison) = (&report.measures, report.comparison.as_ref());
        let counts = match self.rule() {
            None => comparison.map(crate::compare::Comparison::total),
            Some(rule) => comparison.map(|comparison| comparison.rules.get(rule).copied().unwrap_or_default()),
        };
        let rule = self.rule().and_then(|id| measures.rules.iter().find(|rule| rule.rule == id));
        let is_all = self.rule().is_none();
        match self.metric {
            // A rule that is not told of opened none.
            Metric::Alerts => Some(if is_all { measures.alerts } else { rule.map_or(0, |rule| rule.alerts) } as f64),
            Metric::AlertsPerDay if is_all => Some(measures.alerts as f64 / measures.extent.days()),
            Metric::AlertsPerDay => Some(rule.map_or(0.0, |rule| rule.alerts_per_day)),
            Metric::Entities => Some(if is_all { measures.entities } else { rule.map_or(0, |rule| rule.entities) } as f64),
            Metric::Precision if is_all => measures.precision.share(),
            Metric::Precision => rule.and_then(|rule| rule.precision.share()),
            Metric::Recall if is_all => measures.recall.share(),
            Metric::Recall if measures.recall.of == 0 => None,
            Metric::Recall => Some(rule.map_or(0, |rule| rule.harms) as f64 / measures.recall.of as f64),
            Metric::New => counts.map(|counts| counts.added as f64),
            Metric::Gone => counts.map(|counts| counts.gone as f64),
            Metric::Moved => counts.map(|counts| counts.moved as f64),
            Metric::Changed => counts.map(|counts| counts.changed as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{compare, tests::found};
    use crate::label::Labels;
    use crate::measure::{Extent, measure};

    fn report() -> Report {
        let alerts = vec![found("a.b", "user:u", 1_000), found("a.b", "user:v", 2_000)];
        let measures = measure(&alerts, &Labels::default(), Extent { events: 10, from_ms: 0, to_ms: 86_400_000 });
        Report { measures, comparison: Some(compare(Vec::new(), alerts, |_| 0)), ..Report::default() }
    }

    #[test]
    fn a_gate_holds_a_report_to_its_limit() {
        for (text, value, failed) in [
            ("alerts_per_day.a.b > 1.5", Some(2.0), true),
            ("alerts_per_day.a.b > 2", Some(2.0), false),
            ("alerts.all<3", Some(2.0), true),
            ("alerts.c.d > 0", Some(0.0), false),
            ("new.a.b > 1", Some(2.0), true),
            ("gone.all > 0", Some(0.0), false),
            ("precision.a.b < 0.9", None, true),
            ("recall.all < 0.9", None, true),
        ] {
            let gate: Gate = text.parse().expect(text);
            let outcome = gate.judge(&report());
            assert_eq!((outcome.value, outcome.failed), (value, failed), "{text}");
            assert_eq!(gate.to_string().parse::<Gate>().expect("as it is written"), gate);
        }
    }

    #[test]
    fn what_is_no_gate_says_what_one_is() {
        for (text, what) in [
            ("alerts > 3", "no rule, nor `all`"),
            ("alarms.all > 3", "`alarms` is none of alerts,"),
            ("alerts.all = 3", "not one `>`"),
            ("alerts.all > many", "`many` is no number"),
        ] {
            let error = text.parse::<Gate>().expect_err(text).to_string();
            assert!(error.contains(what) && error.contains("precision.all < 0.9"), "{error}");
        }
    }
}
