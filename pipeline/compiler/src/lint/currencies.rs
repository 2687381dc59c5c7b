//! Amounts of several currencies that are taken together: 300,000 piastres of Lebanon are not 3,000 pounds of Egypt.

use rasid_detectors::currency;
use rasid_detectors::event::field::{self, FieldType};
use rasid_detectors::operator::Yields;

use crate::binding::Draft;
use crate::diagnostic::{Code, Fault};
use crate::ruleset::{Feed, KeyPart};

/// Warns of each binding that adds or compares amounts of whatever currency.
pub(crate) fn look(lets: &[Draft], found: &mut Vec<Fault>) {
    for draft in lets {
        let Some((binding, _)) = &draft.binding else { continue };
        // What takes numbers alone reckons with them; what also takes words tells them apart or hands them on.
        let reckons = match binding.operator.spec().yields {
            Yields::Value(of) => of(FieldType::Int).is_some() && of(FieldType::String).is_none(),
            Yields::Measure(measure) => (measure.of)(FieldType::Int) && !(measure.of)(FieldType::String),
            Yields::Signal(_) => false,
        };
        if let Some(feed) = binding.feeds.iter().find(|feed| reckons && mixes(feed)) {
            let message = format!("`{}` takes amounts of several currencies together", draft.name.name);
            let help = format!(
                "300,000 of {} may be 3,000 EGP or 300 KWD: convert them, `in: EGP`, keep each by itself, `by: […, data.currency]`, or take one, `where: data.currency == \"EGP\"`",
                feed.event.name()
            );
            found.push(Fault::new(Code::MixesCurrencies, draft.name.span.clone(), message).help(help));
        }
    }
}

/// Whether the event has a currency, an amount in it is looked at, and neither key nor filter asks which it is.
fn mixes(feed: &Feed) -> bool {
    let Some((path, _)) = field::find(feed.event.fields(), currency::FIELD) else { return false };
    let of = feed.of.and_then(|of| of.path()).and_then(|path| field::at(feed.event.fields(), path));
    let mut asked = std::collections::BTreeSet::new();
    feed.filters().for_each(|filter| filter.fields(&mut asked));
    feed.exchange.is_none()
        && of.is_some_and(|spec| currency::AMOUNTS.contains(&spec.name))
        && !feed.key.contains(&KeyPart::Value(path))
        && !asked.contains(&path)
}
