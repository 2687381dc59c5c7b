//! What of a condition hangs on the event alone, so that what the rest would read need not be looked up.

use crate::expression::Expr;

impl Expr {
    /// A program over the event alone that is false only where this one is false whatever the bindings and the score are; `None`
    /// where there is none.
    ///
    /// `a && b` is false where either is, and `a || b` where both are; CEL lets neither error of the other side change that. So a
    /// part of a conjunction guards it, and alternatives guard theirs where each has a guard.
    pub fn guard(&self) -> Option<Self> {
        match self {
            _ if !self.reads_state() => Some(self.clone()),
            Self::And(left, right) => match (left.guard(), right.guard()) {
                (Some(left), Some(right)) => Some(Self::And(left.into(), right.into())),
                (left, right) => left.or(right),
            },
            Self::Or(left, right) => Some(Self::Or(left.guard()?.into(), right.guard()?.into())),
            _ => None,
        }
    }

    /// Whether it reads a binding or the score anywhere.
    fn reads_state(&self) -> bool {
        match self {
            Self::Binding(_) | Self::HasBinding(_) | Self::Fired(_) | Self::Signal(..) | Self::Score => true,
            _ => self.parts().into_iter().any(Self::reads_state),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rasid_detectors::event::field::FieldPath;
    use rasid_detectors::value::{OwnedValue, Value};

    use super::*;
    use crate::expression::{EvalError, Scope};

    /// Says of each detector whether it fired, or that it cannot be known.
    struct Said([Option<bool>; 3]);

    impl Scope for Said {
        fn field(&self, _: FieldPath) -> Value<'_> {
            Value::Absent
        }

        fn unknown(&self, _: &str) -> OwnedValue {
            OwnedValue::Absent
        }

        fn binding(&self, _: usize) -> Value<'_> {
            Value::Absent
        }

        fn fired(&self, index: usize) -> Option<bool> {
            self.0[index]
        }

        fn time(&self) -> i64 {
            0
        }

        fn score(&self) -> Value<'_> {
            Value::Absent
        }

        fn signal(&self, _: usize, _: usize) -> Value<'_> {
            Value::Absent
        }
    }

    /// Conditions of what is true, false or an error by the event alone, and of detectors.
    fn conditions() -> impl Strategy<Value = Expr> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(|truth| Expr::Const(OwnedValue::Bool(truth))),
            Just(Expr::Unknown("note".into())),
            (0_usize..3).prop_map(Expr::Fired),
        ];
        leaf.prop_recursive(5, 40, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                two.clone().prop_map(|(a, b)| Expr::And(a.into(), b.into())),
                two.prop_map(|(a, b)| Expr::Or(a.into(), b.into())),
                inner.clone().prop_map(|a| Expr::Not(a.into())),
                (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| Expr::Conditional(a.into(), b.into(), c.into())),
            ]
        })
    }

    fn every() -> impl Iterator<Item = Said> {
        let one = || [None, Some(false), Some(true)].into_iter();
        one().flat_map(move |a| one().flat_map(move |b| one().map(move |c| Said([a, b, c]))))
    }

    proptest! {
        /// Where a guard is false its condition is, whatever the state; and the guard reads none.
        #[test]
        fn what_a_guard_shuts_out_never_holds(condition in conditions()) {
            let Some(guard) = condition.guard() else { return Ok(()) };
            let first = guard.is_true(&Said([None; 3]));
            for said in every() {
                prop_assert_eq!(guard.is_true(&said), first);
                if first == Ok(false) {
                    prop_assert_eq!(condition.is_true(&said), Ok(false));
                }
            }
        }
    }

    #[test]
    fn a_conjunction_is_guarded_by_a_part_and_alternatives_by_all() {
        let truth = |truth| Box::new(Expr::Const(OwnedValue::Bool(truth)));
        let fired = || Box::new(Expr::Fired(0));
        let guarded = |expr: Expr| expr.guard().map(|guard| guard.is_true(&Said([None; 3])));
        assert_eq!(guarded(Expr::And(fired(), truth(false))), Some(Ok(false)));
        assert_eq!(guarded(Expr::Or(fired(), truth(false))), None);
        assert_eq!(guarded(Expr::Or(Expr::And(fired(), truth(false)).into(), truth(false))), Some(Ok(false)));
        assert_eq!(guarded(Expr::Not(fired())), None);
        assert_eq!(Expr::Fired(0).is_true(&Said([None; 3])), Err(EvalError::Absent));
    }
}
