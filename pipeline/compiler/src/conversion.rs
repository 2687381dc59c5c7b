//! Calls that make or take apart instants, spans of time, numbers and texts.

use cel::common::ast::{Expr as Ast, IdedExpr, LiteralValue};
use rasid_detectors::value::OwnedValue;

use crate::arithmetic::DURATION_MS_MAX;
use crate::diagnostic::Code;
use crate::expression::{Expr, Function};
use crate::function::usage;
use crate::library::{Part, Zone, convert};
use crate::names::Param;
use crate::presence::Facts;
use crate::ty::Ty;
use crate::typecheck::{Checker, Typed, dotted};

impl Checker<'_> {
    /// `time.getHours("Africa/Cairo")` and its kin. A zone that is written out is found here, once.
    pub(crate) fn calendar(
        &mut self,
        node: &IdedExpr,
        name: &str,
        part: Part,
        of: &IdedExpr,
        zone: Option<&IdedExpr>,
        facts: &Facts,
    ) -> Option<Typed> {
        let subject = self.check(of, facts);
        let written = zone.and_then(|zone| self.written(zone));
        let found = match (&written, zone) {
            (Some(name), Some(node)) => {
                let Some(zone) = Zone::find(name) else {
                    let fault = self.at(Code::TypeMismatch, node, format!("there is no time zone `{name}`"));
                    let help = match Zone::near(name) {
                        Some(near) => format!("did you mean `{near}`? Zones are IANA's names or offsets: \"Africa/Cairo\", \"+02:00\""),
                        None => "zones are IANA's names or offsets: \"Africa/Cairo\", \"+02:00\"".to_owned(),
                    };
                    return self.fault(fault.help(help));
                };
                Some(zone)
            }
            _ => None,
        };
        let computed = match (zone, &found) {
            (Some(zone), None) => Some(self.text(zone, name, facts)?),
            _ => None,
        };
        let subject = subject?;
        let function = match (subject.ty, zone) {
            (Ty::Time, None) => Function::Moment(part, Zone::utc()),
            (Ty::Time, Some(_)) => found.map_or(Function::Calendar(part), |zone| Function::Moment(part, zone)),
            (Ty::Duration, None) if part.is_of_durations() => Function::Calendar(part),
            (ty, _) => {
                let help = if ty == Ty::Dyn { "write timestamp(data[\"name\"]) around it" } else { usage(name) };
                return self.mismatch(node, name, &[ty], help);
            }
        };
        Typed::new(Expr::Call(function, std::iter::once(subject.expr).chain(computed).collect()), Ty::Int)
    }

    pub(crate) fn duration(&mut self, of: &IdedExpr, facts: &Facts) -> Option<Typed> {
        if let Some(written) = self.written(of) {
            let Some(millis) = go_duration(&written) else {
                let fault = self.at(Code::BadDuration, of, format!("`{written}` is no duration in CEL"));
                return self.fault(fault.help("numbers with h, m, s or ms, to the millisecond: 24h, 1h30m, 1.5s (CEL has no d)"));
            };
            return Typed::new(Expr::Const(OwnedValue::Duration(millis)), Ty::Duration);
        }
        let typed = self.check(of, facts)?;
        match typed.ty {
            Ty::Duration => Some(typed),
            Ty::Text(_) | Ty::Dyn => Typed::new(Expr::Call(Function::Duration, vec![typed.expr]), Ty::Duration),
            ty => self.mismatch(of, "duration", &[ty], usage("duration")),
        }
    }

    pub(crate) fn timestamp(&mut self, of: &IdedExpr, facts: &Facts) -> Option<Typed> {
        if let Some(written) = self.written(of) {
            let Some(millis) = convert::instant(&written).filter(|_| whole_millis(&written)) else {
                let fault = self.at(Code::TypeMismatch, of, format!("`{written}` is no instant"));
                return self.fault(fault.help("RFC 3339 with a zone, years 1 to 9999, to the millisecond: 2026-11-21T10:00:00Z"));
            };
            return Typed::new(Expr::Const(OwnedValue::Time(millis)), Ty::Time);
        }
        let typed = self.check(of, facts)?;
        match typed.ty {
            Ty::Time => Some(typed),
            Ty::Text(_) | Ty::Int | Ty::Dyn => Typed::new(Expr::Call(Function::Timestamp, vec![typed.expr]), Ty::Time),
            ty => self.mismatch(of, "timestamp", &[ty], usage("timestamp")),
        }
    }

    /// `int(x)`, `double(x)`, `string(x)`, `bool(x)`.
    pub(crate) fn convert(&mut self, name: &str, of: &IdedExpr, facts: &Facts) -> Option<Typed> {
        let typed = self.check(of, facts)?;
        let (function, gives) = match name {
            "int" => (Function::Int, Ty::Int),
            "double" => (Function::Double, Ty::Double),
            "bool" => (Function::Bool, Ty::Bool),
            _ => (Function::String, Ty::Text(None)),
        };
        if typed.ty.is_scalar() && typed.ty != Ty::Dyn && typed.ty.is(gives) {
            return Some(typed);
        }
        let takes = match (name, typed.ty) {
            (_, Ty::Text(_) | Ty::Dyn) => true,
            ("int", ty) => matches!(ty, Ty::Double | Ty::Time),
            ("double", ty) => ty == Ty::Int,
            ("string", ty) => ty.is_scalar(),
            _ => false,
        };
        if !takes {
            return self.mismatch(of, name, &[typed.ty], usage(name));
        }
        Typed::new(Expr::Call(function, vec![typed.expr]), gives)
    }

    /// A text that is written out, or a parameter's; of anything else nothing is said.
    fn written(&mut self, node: &IdedExpr) -> Option<String> {
        match (&node.expr, dotted(node).as_deref()) {
            (Ast::Literal(LiteralValue::String(text)), _) => Some(text.inner().to_owned()),
            (_, Some(["params", name])) if self.names.event_only.is_none() && self.local("params").is_none() => {
                let (_, Param::Scalar(OwnedValue::Str(text))) = self.names.param(name)? else { return None };
                let text = text.to_string();
                self.param(node, name)?;
                Some(text)
            }
            _ => None,
        }
    }
}

/// CEL's durations, which are Go's: signed decimal numbers, each with a unit. To the millisecond.
pub(crate) fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut nanos = 0_i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let length = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, tail) = rest.split_at_checked(length)?;
        let length = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(length)?;
        let unit: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 15 || fraction.len() > 15 {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        nanos += digits(whole)? * unit + digits(fraction)? * unit / scale;
        rest = tail;
    }
    let millis = i64::try_from(nanos / 1_000_000).ok().filter(|_| nanos % 1_000_000 == 0)?;
    (millis <= DURATION_MS_MAX).then_some(if negative { -millis } else { millis })
}

/// Whether an instant says nothing finer than milliseconds, which is what the engine keeps.
fn whole_millis(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    fraction.chars().take_while(char::is_ascii_digit).skip(3).all(|digit| digit == '0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10m", Some(600_000))]
    #[case("1h30m", Some(5_400_000))]
    #[case("1.5h", Some(5_400_000))]
    #[case("-2s", Some(-2_000))]
    #[case("0", Some(0))]
    #[case("1500us", None)]
    #[case("2000us", Some(2))]
    #[case("1d", None)]
    #[case("", None)]
    #[case("-", None)]
    #[case("5", None)]
    #[case(".s", None)]
    #[case("1.2.3s", None)]
    #[case("99999999999999h", None)]
    #[case("2562047h47m16.854s", Some(DURATION_MS_MAX))]
    #[case("2562047h47m16.855s", None)]
    fn durations_are_those_of_cel(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(go_duration(text), expected);
    }
}
