//! Whole numbers that are divided and compared with a fraction: 7 / 8 is 0, and never more than a half.

use rasid_detectors::value::OwnedValue;

use super::View;
use super::constant::is_whole;
use crate::diagnostic::{Code, Fault};
use crate::expression::{Arithmetic, Expr};
use crate::terms::Term;

/// Warns of the terms of a condition that compare a quotient of whole numbers with a number that is none. `views`: it, as each program
/// has it.
pub(super) fn look<'a>(term: &Term, views: &[View<'a>], found: &mut Vec<Fault>) {
    for (number, part) in term.parts.iter().enumerate() {
        let of_part = |view: &View<'a>| Some(View { expr: term.programs(view.expr).get(number).copied()?, ..*view });
        let inner: Vec<View<'a>> = views.iter().filter_map(of_part).collect();
        look(part, &inner, found);
    }
    if term.parts.is_empty() && views.iter().any(|view| cuts(*view)) {
        let fault = Fault::new(Code::CutsFraction, term.span.clone(), "`/` of two whole numbers leaves the fraction off");
        found.push(fault.help("7 / 8 is 0: write double(a) / double(b), or multiply instead, as in 2 * a > b"));
    }
}

fn cuts(view: View<'_>) -> bool {
    let is_quotient = |expr: &Expr| match expr {
        Expr::Arithmetic(Arithmetic::Divide, above, below) => [above, below].iter().all(|expr| is_whole(View { expr, ..view })),
        _ => false,
    };
    let is_fraction = |expr: &Expr| matches!(expr, Expr::Const(OwnedValue::Double(number)) if number.fract() != 0.0);
    match view.expr {
        Expr::Compare(_, one, other) => (is_quotient(one) && is_fraction(other)) || (is_fraction(one) && is_quotient(other)),
        _ => false,
    }
}
