//! What a run set aside. More than one record in a hundred is no matter for the third line of a summary: it leads with it.

use std::collections::BTreeMap;

use rasid_backtest::text::grouped;

/// The summary leads with what was set aside beyond one in so many records.
const ONE_IN: u64 = 100;
/// Most reasons that are told apart; there are some dozens.
const REASONS_MAX: usize = 1000;

/// Records set aside, by reason.
#[derive(Default)]
pub(super) struct SetAside {
    /// By (field, reason).
    reasons: BTreeMap<(Option<String>, String), u64>,
    records: u64,
}

impl SetAside {
    pub(super) fn add(&mut self, field: Option<&str>, reason: &str) {
        self.records += 1;
        let key = (field.map(str::to_owned), reason.to_owned());
        if self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&key) {
            *self.reasons.entry(key).or_default() += 1;
        }
    }

    /// What a summary of so many records leads with: how many of them, the commonest reason, and what helps. `from_log`: they
    /// are those of a data folder, whose arrivals and bound are fixed. Empty where it is one in a hundred or fewer.
    pub(super) fn lead(&self, records: u64, from_log: bool) -> Vec<String> {
        // Of equally many the first by name.
        let commonest = self.reasons.iter().rev().max_by_key(|(_, count)| **count);
        let Some(((field, reason), count)) = commonest.filter(|_| self.records.saturating_mul(ONE_IN) > records) else {
            return Vec::new();
        };
        let of = match *count {
            count if count == self.records => "all of them".to_owned(),
            count => format!("{} of them", grouped(count)),
        };
        let field = field.as_ref().map(|field| format!("`{field}`: ")).unwrap_or_default();
        let mut lines = vec![
            format!("{} of {} records were set aside: no rule saw them", grouped(self.records), grouped(records)),
            format!("  {of}: {field}{reason}"),
        ];
        if reason.starts_with("future: ") {
            lines.push(if from_log {
                "  a worse clock is believed under a higher `future_s` in the configuration, which holds for what arrives after".to_owned()
            } else {
                "  if these times are right, say when the records arrived: --now TIME, which is the present otherwise".to_owned()
            });
        }
        lines.push("  --dead-letters FILE writes each of them there, with its position, field and reason".to_owned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_aside(reasons: &[(&str, u64)]) -> SetAside {
        let mut set_aside = SetAside::default();
        for (reason, count) in reasons {
            (0..*count).for_each(|_| set_aside.add(Some("time"), reason));
        }
        set_aside
    }

    #[test]
    fn it_leads_from_the_first_beyond_one_in_a_hundred() {
        for (count, records, leads) in
            [(0, 0, false), (0, 5, false), (1, 100, false), (2, 199, true), (10, 1_000, false), (11, 1_000, true)]
        {
            assert_eq!(!set_aside(&[("no time", count)]).lead(records, false).is_empty(), leads, "{count} of {records}");
        }
    }

    #[test]
    fn the_commonest_reason_is_said_and_what_helps_against_it() {
        let future = "future: more than 300 s ahead of its arrival";
        let lines = set_aside(&[("no time", 2), (future, 1_500)]).lead(2_000, false);
        assert_eq!(lines.first().map(String::as_str), Some("1 502 of 2 000 records were set aside: no rule saw them"));
        assert_eq!(lines.get(1).map(String::as_str), Some("  1 500 of them: `time`: future: more than 300 s ahead of its arrival"));
        assert!(lines.get(2).is_some_and(|line| line.contains("--now TIME")), "{lines:?}");
        assert!(set_aside(&[(future, 1)]).lead(1, true).iter().all(|line| !line.contains("--now")), "a log holds its arrivals");
        let others = set_aside(&[("no time", 3), (future, 2)]).lead(9, false);
        assert!(others.len() == 3 && others.iter().all(|line| !line.contains("--now")), "{others:?}");
    }
}
