//! What values one thing that a condition reads may have, in one case.

#![expect(clippy::float_cmp, reason = "bounds are compared as conditions compare them")]

use std::collections::BTreeSet;

use rasid_detectors::value::OwnedValue;

use crate::expression::Comparison;

/// Whole numbers up to which every one is a double of its own: 2^53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The values that are left.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Domain {
    /// Whole numbers; instants and spans of time, in ms.
    Whole { least: i64, most: i64, not: BTreeSet<i64> },
    /// Numbers with a fraction, or of which it is not known whether they have one.
    Real { least: (f64, bool), most: (f64, bool), not: Vec<f64> },
    /// Texts: those alone, and none of those.
    Text { only: Option<BTreeSet<String>>, not: BTreeSet<String> },
    /// True or false.
    Truth(bool, bool),
}

impl Domain {
    pub(super) fn whole(least: i64, most: i64) -> Self {
        Self::Whole { least, most, not: BTreeSet::new() }
    }

    /// Every number from `least` on.
    pub(super) fn real(least: f64) -> Self {
        Self::Real { least: (least, true), most: (f64::INFINITY, true), not: Vec::new() }
    }

    pub(super) fn text() -> Self {
        Self::Text { only: None, not: BTreeSet::new() }
    }

    /// Whether no value is left.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Whole { least, most, not } => least > most || (least == most && not.contains(least)),
            Self::Real { least: (least, has_least), most: (most, has_most), not } => {
                least > most || (least == most && (!has_least || !has_most || not.contains(least)))
            }
            Self::Text { only, not } => only.as_ref().is_some_and(|only| only.is_subset(not)),
            Self::Truth(may_hold, may_not) => !may_hold && !may_not,
        }
    }

    /// Leaves those that stand so to a constant. Where it cannot tell, it leaves what there was.
    pub(super) fn narrow(&mut self, comparison: Comparison, constant: &OwnedValue) {
        match (self, constant) {
            (Self::Whole { least, most, not }, OwnedValue::Int(to) | OwnedValue::Time(to) | OwnedValue::Duration(to)) => {
                whole(least, most, not, comparison, *to);
            }
            (Self::Whole { least, most, not }, OwnedValue::Double(to)) => whole_by_real(least, most, not, comparison, *to),
            (Self::Real { least, most, not }, OwnedValue::Double(to)) if to.abs() < EXACT_MAX => real(least, most, not, comparison, *to),
            #[expect(clippy::cast_precision_loss, reason = "those that would lose some are passed over")]
            (Self::Real { least, most, not }, OwnedValue::Int(to)) if (*to as f64).abs() < EXACT_MAX => {
                real(least, most, not, comparison, *to as f64);
            }
            (Self::Text { only, not }, OwnedValue::Str(to)) => text(only, not, comparison, to),
            (Self::Truth(may_hold, may_not), OwnedValue::Bool(to)) => match comparison {
                Comparison::Equal if *to => *may_not = false,
                Comparison::NotEqual if !*to => *may_not = false,
                Comparison::Equal | Comparison::NotEqual => *may_hold = false,
                _ => {}
            },
            _ => {}
        }
    }
}

fn whole(least: &mut i64, most: &mut i64, not: &mut BTreeSet<i64>, comparison: Comparison, to: i64) {
    let (from, up_to) = match comparison {
        Comparison::Equal => (Some(to), Some(to)),
        Comparison::NotEqual => {
            not.insert(to);
            return trim(least, most, not);
        }
        Comparison::Less => (Some(i64::MIN), to.checked_sub(1)),
        Comparison::LessOrEqual => (Some(i64::MIN), Some(to)),
        Comparison::Greater => (to.checked_add(1), Some(i64::MAX)),
        Comparison::GreaterOrEqual => (Some(to), Some(i64::MAX)),
    };
    if let (Some(from), Some(up_to)) = (from, up_to) {
        *least = (*least).max(from);
        *most = (*most).min(up_to);
    } else {
        (*least, *most) = (1, 0); // nothing lies beyond the ends
    }
    trim(least, most, not);
}

/// Moves the ends off what is none of them.
fn trim(least: &mut i64, most: &mut i64, not: &BTreeSet<i64>) {
    while *least < *most && not.contains(least) {
        *least += 1;
    }
    while *least < *most && not.contains(most) {
        *most -= 1;
    }
}

/// A whole number compares with one with a fraction as the nearest double, which is itself below 2^53, and not below that above it.
fn whole_by_real(least: &mut i64, most: &mut i64, not: &mut BTreeSet<i64>, comparison: Comparison, to: f64) {
    if to.is_nan() || to.abs() >= EXACT_MAX {
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 2^53 a whole double is a whole number")]
    let (below, above) = (to.floor() as i64, to.ceil() as i64);
    match comparison {
        Comparison::Equal | Comparison::NotEqual if below == above => whole(least, most, not, comparison, below),
        Comparison::Equal => (*least, *most) = (1, 0),
        Comparison::NotEqual => {}
        Comparison::Less | Comparison::GreaterOrEqual => whole(least, most, not, comparison, above),
        Comparison::LessOrEqual | Comparison::Greater => whole(least, most, not, comparison, below),
    }
}

fn real(least: &mut (f64, bool), most: &mut (f64, bool), not: &mut Vec<f64>, comparison: Comparison, to: f64) {
    let mut from = |to: f64, has: bool| {
        if to > least.0 || (to == least.0 && !has) {
            *least = (to, has);
        }
    };
    let mut up_to = |to: f64, has: bool| {
        if to < most.0 || (to == most.0 && !has) {
            *most = (to, has);
        }
    };
    match comparison {
        Comparison::Equal => {
            from(to, true);
            up_to(to, true);
        }
        // What is no number differs from all, but a comparison that leaves one value alone has excluded that.
        Comparison::NotEqual => not.push(to),
        Comparison::Less => up_to(to, false),
        Comparison::LessOrEqual => up_to(to, true),
        Comparison::Greater => from(to, false),
        Comparison::GreaterOrEqual => from(to, true),
    }
}

fn text(only: &mut Option<BTreeSet<String>>, not: &mut BTreeSet<String>, comparison: Comparison, to: &str) {
    match comparison {
        Comparison::Equal => {
            let is_left = only.as_ref().is_none_or(|only| only.contains(to));
            *only = Some(is_left.then(|| to.to_owned()).into_iter().collect());
        }
        Comparison::NotEqual => {
            not.insert(to.to_owned());
        }
        _ => {}
    }
}
