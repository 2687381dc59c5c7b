//! Whether a change of one rule can only take hits away, or only add some: told from both conditions, without any event.
//!
//! ```text
//! a && b for a            narrower            x > 8 for x > 5        narrower
//! a || b for a            wider               x >= 5 for x > 5       wider
//! both, at two places     neither             !(…)                   the other way round
//! ```
//!
//! A sum that overflows aside, of which there is no value. What counts is hits. Where a rule has `suppress`, an alert may still move: of fewer
//! hits another one may be the first.

use rasid_compiler::expression::{Arithmetic, Comparison, Expr};
use rasid_compiler::ruleset::{Ruleset, Trigger};
use rasid_detectors::value::OwnedValue;
use serde::Serialize;

/// What a change of a rule does to its hits, whatever the events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// None comes or goes.
    Same,
    /// None comes.
    Narrower,
    /// None goes.
    Wider,
}

impl Direction {
    /// In a sentence.
    pub fn says(self) -> &'static str {
        match self {
            Self::Same => "the condition is the same, written otherwise: no hit comes or goes",
            Self::Narrower => "the condition is narrower: no hit comes, whatever the events are",
            Self::Wider => "the condition is wider: no hit goes, whatever the events are",
        }
    }

    fn flipped(self) -> Self {
        match self {
            Self::Same => Self::Same,
            Self::Narrower => Self::Wider,
            Self::Wider => Self::Narrower,
        }
    }

    /// Of two changes at once; `None` where they pull two ways.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Same, direction) | (direction, Self::Same) => Some(direction),
            (one, two) => (one == two).then_some(one),
        }
    }
}

/// What the change from `old` to `new` does to the hits of the rule of that id; `None` where it may do both, where that cannot be told
/// from the conditions, or where it is not in both. Both rulesets share the same lists, zones, rates and bindings.
pub fn direction(old: &Ruleset, new: &Ruleset, id: &str) -> Option<Direction> {
    let (before, after) = (old.rules.get(old.place(id)?)?, new.rules.get(new.place(id)?)?);
    if before.mode != after.mode || before.triggers.len() != after.triggers.len() || before.reads_others() {
        return None;
    }
    let mut all = Direction::Same;
    for (then, now) in before.triggers.iter().zip(&after.triggers) {
        let reads = |ruleset: &Ruleset, rule: &Trigger| -> Vec<String> {
            rule.reads
                .iter()
                .map(|read| format!("{} {:?}", ruleset.bindings.get(read.binding).map_or("", |binding| &binding.canonical), read.key))
                .collect()
        };
        let alike = then.event == now.event
            && then.entity == now.entity
            && reads(old, then) == reads(new, now)
            && then.programs.len() == now.programs.len();
        if !alike {
            return None;
        }
        for (then, now) in then.programs.iter().zip(&now.programs) {
            let applies = match (&then.applies, &now.applies) {
                (None, None) => true,
                (Some(then), Some(now)) => then.is_same(now),
                _ => false,
            };
            if !applies {
                return None;
            }
            all = all.with(of_condition(&then.when, &now.when)?)?;
        }
    }
    Some(all)
}

/// What joins terms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joined {
    And,
    Or,
}

/// The terms that `how` joins, from left to right: all of a chain, and one of anything else.
fn terms(expr: &Expr, how: Joined) -> Vec<&Expr> {
    match (expr, how) {
        (Expr::And(left, right), Joined::And) | (Expr::Or(left, right), Joined::Or) => [terms(left, how), terms(right, how)].concat(),
        _ => vec![expr],
    }
}

fn of_condition(old: &Expr, new: &Expr) -> Option<Direction> {
    if old.is_same(new) {
        return Some(Direction::Same);
    }
    match (old, new) {
        (Expr::Not(a), Expr::Not(b)) => of_condition(a, b).map(Direction::flipped),
        (Expr::Compare(before, a, b), Expr::Compare(after, c, d)) => of_comparison((*before, a, b), (*after, c, d)),
        (_, Expr::And(..)) | (Expr::And(..), _) if !matches!(new, Expr::Or(..)) => of_terms(old, new, Joined::And),
        (_, Expr::Or(..)) | (Expr::Or(..), _) => of_terms(old, new, Joined::Or),
        _ => None,
    }
}

/// Each old term beside the new one that it has become; what is left over has come or gone. A chain is taken as a whole, so that two
/// terms are held against each other once, however long it is.
fn of_terms(old: &Expr, new: &Expr, how: Joined) -> Option<Direction> {
    let (old, mut new) = (terms(old, how), terms(new, how));
    let mut changed = Vec::new();
    for then in old {
        match new.iter().position(|now| then.is_same(now)) {
            Some(at) => drop(new.remove(at)),
            None => changed.push(then),
        }
    }
    let (mut all, mut gone) = (Direction::Same, false);
    for then in changed {
        match new.iter().enumerate().find_map(|(at, now)| Some((at, of_condition(then, now)?))) {
            Some((at, direction)) => {
                new.remove(at);
                all = all.with(direction)?;
            }
            None => gone = true,
        }
    }
    let more = if how == Joined::And { Direction::Narrower } else { Direction::Wider };
    let come = if new.is_empty() { Direction::Same } else { more };
    let gone = if gone { more.flipped() } else { Direction::Same };
    all.with(come)?.with(gone)
}

/// Which way a number goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trend {
    Still,
    Up,
    Down,
}

impl Trend {
    fn flipped(self) -> Self {
        match self {
            Self::Still => Self::Still,
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Still, trend) | (trend, Self::Still) => Some(trend),
            (one, two) => (one == two).then_some(one),
        }
    }
}

fn of_comparison(old: (Comparison, &Expr, &Expr), new: (Comparison, &Expr, &Expr)) -> Option<Direction> {
    let (left, right) = (trend(old.1, new.1)?, trend(old.2, new.2)?);
    // As if it were "left is greater".
    let is_greater = match old.0 {
        Comparison::Greater | Comparison::GreaterOrEqual => true,
        Comparison::Less | Comparison::LessOrEqual => false,
        Comparison::Equal | Comparison::NotEqual => return None,
    };
    let with_equal = |comparison: Comparison| matches!(comparison, Comparison::GreaterOrEqual | Comparison::LessOrEqual);
    let still_greater = matches!(new.0, Comparison::Greater | Comparison::GreaterOrEqual);
    if matches!(new.0, Comparison::Equal | Comparison::NotEqual) || still_greater != is_greater {
        return None;
    }
    let gap = left.with(right.flipped())?;
    let of_gap = match (gap, is_greater) {
        (Trend::Still, _) => Direction::Same,
        (Trend::Up, true) | (Trend::Down, false) => Direction::Wider,
        (Trend::Down, true) | (Trend::Up, false) => Direction::Narrower,
    };
    let of_end = match (with_equal(old.0), with_equal(new.0)) {
        (false, true) => Direction::Wider,
        (true, false) => Direction::Narrower,
        _ => Direction::Same,
    };
    of_gap.with(of_end)
}

fn trend(old: &Expr, new: &Expr) -> Option<Trend> {
    if old.is_same(new) {
        return Some(Trend::Still);
    }
    match (old, new) {
        (Expr::Const(before), Expr::Const(after)) => of_numbers(before, after),
        (Expr::Negate(a), Expr::Negate(b)) => trend(a, b).map(Trend::flipped),
        (Expr::Arithmetic(before, a, b), Expr::Arithmetic(after, c, d)) if before == after => match before {
            Arithmetic::Add => trend(a, c)?.with(trend(b, d)?),
            Arithmetic::Subtract => trend(a, c)?.with(trend(b, d)?.flipped()),
            // By a number that stands there and is not below 0.
            Arithmetic::Multiply if is_factor(a) && a.is_same(c) => trend(b, d),
            Arithmetic::Multiply if is_factor(b) && b.is_same(d) => trend(a, c),
            _ => None,
        },
        _ => None,
    }
}

fn is_factor(expr: &Expr) -> bool {
    match expr {
        Expr::Const(OwnedValue::Int(number)) => *number >= 0,
        Expr::Const(OwnedValue::Double(number)) => *number >= 0.0,
        _ => false,
    }
}

fn of_numbers(before: &OwnedValue, after: &OwnedValue) -> Option<Trend> {
    let order = match (before, after) {
        (OwnedValue::Int(before), OwnedValue::Int(after)) => after.cmp(before),
        (OwnedValue::Double(before), OwnedValue::Double(after)) => after.partial_cmp(before)?,
        _ => return None,
    };
    Some(match order {
        std::cmp::Ordering::Less => Trend::Down,
        std::cmp::Ordering::Equal => Trend::Still,
        std::cmp::Ordering::Greater => Trend::Up,
    })
}

#[cfg(test)]
mod tests {
    use rasid_compiler::{SourceFile, compile};

    use super::*;

    fn ruleset(when: &str, limit: u32) -> Ruleset {
        let text = format!(
            "rule: auth.t\ntitle: t\non: auth.otp_requested\nentity: phone\nparams: {{most: {limit}}}\nlet:\n  n: {{count: auth.otp_requested, by: phone, window: 10m}}\n  m: {{count: auth.otp_requested, by: ip, window: 10m}}\nwhen: '{when}'\nexplain: '{{n}} {{m}} {{params.most}}'\n"
        );
        compile(&[SourceFile { name: "auth/t.yaml".to_owned(), text }]).unwrap_or_else(|report| panic!("{}", report.render(false)))
    }

    fn between(old: (&str, u32), new: (&str, u32)) -> Option<Direction> {
        direction(&ruleset(old.0, old.1), &ruleset(new.0, new.1), "auth.t")
    }

    /// Ordinary edits of a condition of many terms, and of one that alternates deeply.
    #[test]
    fn a_long_condition_is_told_in_no_time() {
        let many = |last: &str| {
            let terms: Vec<String> = (0..60).map(|number| format!("n != {number}")).collect();
            format!("{} && {last}", terms.join(" && "))
        };
        assert_eq!(between((&many("n > params.most"), 5), (&many("n > params.most"), 8)), Some(Direction::Narrower));
        assert_eq!(between((&many("n == params.most"), 5), (&many("n == params.most"), 8)), None);
        let deep =
            |limit: u32| (0..12).fold(format!("n == {limit} + params.most"), |inner, at| format!("(m > {at} && n > {at} || {inner})"));
        assert_eq!(between((&deep(1), 5), (&deep(2), 5)), None);
    }

    #[test]
    fn a_change_is_narrower_wider_or_neither() {
        use Direction::{Narrower, Same, Wider};
        let plain = "n > params.most";
        for (old, new, expected) in [
            ((plain, 5), (plain, 8), Some(Narrower)),
            ((plain, 5), (plain, 3), Some(Wider)),
            ((plain, 5), ("n >= params.most", 5), Some(Wider)),
            ((plain, 5), ("n >= params.most", 8), None),
            ((plain, 5), ("n > 5", 5), Some(Same)),
            ((plain, 5), ("n > params.most && m > 2", 5), Some(Narrower)),
            ((plain, 5), ("m > 2 && n > params.most", 8), Some(Narrower)),
            ((plain, 5), ("n > params.most || m > 2", 5), Some(Wider)),
            ((plain, 5), ("n > params.most || m > 2", 8), None),
            (("!(n > params.most)", 5), ("!(n > params.most)", 8), Some(Wider)),
            (("n - m > params.most", 5), ("n - m > params.most + 2", 5), None),
            (("n - 2 > m", 5), ("n - 3 > m", 5), Some(Narrower)),
            (("n > 2 * params.most", 5), ("n > 2 * params.most", 6), Some(Narrower)),
            (("n < params.most", 5), ("n < params.most", 6), Some(Wider)),
            (("n == params.most", 5), ("n == params.most", 6), None),
            (("n > params.most && m > 2", 5), ("n > params.most && m > 3", 6), Some(Narrower)),
            (("n > params.most && m > 2", 5), ("n > params.most && m > 1", 6), None),
            ((plain, 5), ("m > params.most", 5), None),
            (("n > params.most && m > 2", 5), ("m > 2 && n > params.most", 5), Some(Same)),
            (("n > params.most && m > 2", 5), ("n > params.most || m > 2", 5), Some(Wider)),
            (("n > params.most || m > 2", 5), ("n > params.most && m > 2", 5), Some(Narrower)),
            (("n > params.most && m == 2", 5), ("n > params.most && m == 3", 5), None),
            ((plain, 5), ("n < params.most", 5), None),
        ] {
            assert_eq!(between(old, new), expected, "{old:?} to {new:?}");
        }
    }
}
