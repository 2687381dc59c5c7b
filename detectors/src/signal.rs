//! What an operator says: an observation with the numbers behind it, in SI units, so that a reader can redo the sum.

use smallvec::SmallVec;

use crate::event::field::FieldType;
use crate::value::OwnedValue;

/// The type of one field of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalType {
    /// A whole number.
    Int,
    /// A real number, rounded to this many decimal places when it leaves the detector.
    Double {
        /// Decimal places kept.
        decimals: u8,
    },
    /// Text that holds nothing raw: a word of a fixed set, or masked evidence.
    Text,
    /// True or false.
    Bool,
    /// Of the same type as the field that the binding looks at.
    OfField,
}

impl SignalType {
    /// The type that a condition sees, where the binding looks at a field of type `of`.
    pub fn field_type(self, of: Option<FieldType>) -> FieldType {
        match self {
            Self::Int => FieldType::Int,
            Self::Double { .. } => FieldType::Double,
            Self::Text => FieldType::String,
            Self::Bool => FieldType::Bool,
            Self::OfField => of.unwrap_or(FieldType::Double),
        }
    }
}

/// One field that a signal carries.
#[derive(Clone, Copy, Debug)]
pub struct SignalField {
    /// Its name, ending in its unit.
    pub name: &'static str,
    /// Its type.
    pub ty: SignalType,
    /// What it is.
    pub doc: &'static str,
}

/// One observation: the values of the operator's fields, in their declared order.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    values: SmallVec<[OwnedValue; 4]>,
}

impl Signal {
    /// A signal whose real numbers are rounded to the step that `fields` declares, so that the last bits of a
    /// computation never reach an alert.
    pub fn new(fields: &[SignalField], values: impl IntoIterator<Item = OwnedValue>) -> Self {
        let mut taken = SmallVec::with_capacity(fields.len());
        taken.extend(values.into_iter().take(fields.len()));
        round(fields, &mut taken);
        Self { values: taken }
    }

    /// The value of the field of that index.
    pub fn get(&self, index: usize) -> Option<&OwnedValue> {
        self.values.get(index)
    }
}

/// Each real number to the step of its field.
fn round(fields: &[SignalField], values: &mut [OwnedValue]) {
    for (field, value) in fields.iter().zip(values) {
        if let (SignalType::Double { decimals }, OwnedValue::Double(number)) = (field.ty, value) {
            *number = round_to(*number, decimals);
        }
    }
}

/// `number` to `decimals` places, half away from zero. One that is too large to be counted in them has none.
pub fn round_to(number: f64, decimals: u8) -> f64 {
    let scale = f64::from(10_u32.pow(u32::from(decimals)));
    let steps = libm::round(number * scale);
    if steps.is_finite() { steps / scale } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_stays_one() {
        for (number, rounded) in [(f64::MAX, f64::MAX), (-2.5e307, -2.5e307), (1.234_567_89, 1.234_568), (-0.5e-6, -1e-6)] {
            assert!((round_to(number, 6) - rounded).abs() <= f64::EPSILON, "{number}");
        }
    }

    #[test]
    fn real_numbers_are_rounded_to_their_declared_step() {
        let fields = [
            SignalField { name: "distance_m", ty: SignalType::Double { decimals: 1 }, doc: "" },
            SignalField { name: "n", ty: SignalType::Int, doc: "" },
        ];
        let signal = Signal::new(&fields, [OwnedValue::Double(1234.56), OwnedValue::Int(3)]);
        assert!(signal.get(0) == Some(&OwnedValue::Double(1234.6)));
        assert!(signal.get(1) == Some(&OwnedValue::Int(3)));
    }
}
