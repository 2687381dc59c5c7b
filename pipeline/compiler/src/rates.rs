//! `rates.yaml`: what currencies are worth in one another, as the operator keeps it.

use std::sync::Arc;

use rasid_detectors::currency::is_code;
use rasid_detectors::currency::rates::{DIGITS_MAX, Exchange, Rate, Rates, SCALE_MAX};

use crate::diagnostic::{Code, Fault, listed};
use crate::list::instant;
use crate::reader::{self, MapReader};
use crate::yaml::{Node, NodeValue};

/// The file's name, directly in the rules directory.
pub(crate) const FILE: &str = "rates.yaml";

/// The rates that rules reckon with.
#[derive(Clone, Debug, Default)]
pub(crate) enum Table {
    /// There is no file.
    #[default]
    Missing,
    /// It has a fault of its own, and nothing more is said of what needs it.
    Broken,
    /// There is one.
    Of(Arc<Rates>),
}

impl Table {
    /// What converts into the currency of that code.
    ///
    /// # Errors
    /// What is wrong with it, without a place, and what to do; nothing where that is said elsewhere.
    pub(crate) fn exchange(&self, to: &str) -> Result<Exchange, Option<(String, String)>> {
        let example =
            || format!("base: EGP, rates: [{{currency: {}, per_unit: 47.85}}]", if to == "EGP" || !is_code(to) { "USD" } else { to });
        if !is_code(to) {
            return Err(Some((format!("`{to}` is no currency"), "name it by its code, as ISO 4217 has it: EGP".to_owned())));
        }
        match self {
            Self::Broken => Err(None),
            Self::Missing => {
                Err(Some((format!("there are no rates to reckon in {to} by"), format!("write {FILE} beside shared.yaml: {}", example()))))
            }
            Self::Of(rates) if rates.knows(to) => Ok(Exchange { rates: Arc::clone(rates), to: to.into() }),
            Self::Of(rates) => {
                let known = listed(rates.currencies());
                Err(Some((format!("{FILE} has no rate of {to}"), format!("add one, or take one of {known}"))))
            }
        }
    }
}

/// Lowers the file; `text` is all of it.
pub(crate) fn lower(text: &str, root: &Node, faults: &mut Vec<Fault>) -> Table {
    let before = faults.len();
    let Some(mut map) = MapReader::new(root, "the file of rates", faults) else { return Table::Broken };
    let base = map.required("base", faults).and_then(|node| code(node, "`base`", faults));
    let entries = map.required("rates", faults);
    map.finish(faults);
    let mut rates = Rates::new(base.unwrap_or_default().to_owned());
    match entries.map(|node| (node, &node.value)) {
        Some((_, NodeValue::Seq(items))) => items.iter().for_each(|item| entry(text, item, &mut rates, faults)),
        Some((node, _)) => {
            faults.push(reader::wrong(node, "`rates`", "a list of rates").help("- {currency: USD, per_unit: 47.85, since: 2026-01-01}"));
        }
        None => {}
    }
    if faults.len() == before { Table::Of(Arc::new(rates)) } else { Table::Broken }
}

/// One rate.
fn entry(text: &str, item: &Node, rates: &mut Rates, faults: &mut Vec<Fault>) {
    let Some(mut map) = MapReader::new(item, "a rate", faults) else { return };
    let currency = map.required("currency", faults).and_then(|node| Some((node, code(node, "`currency`", faults)?)));
    let rate = map.required("per_unit", faults).and_then(|node| per_unit(text, node, faults));
    let since = map.optional("since").map_or(Some(i64::MIN), |node| instant(node, "since", faults));
    map.finish(faults);
    let (Some((node, currency)), Some(rate), Some(since)) = (currency, rate, since) else { return };
    if currency == rates.base() {
        let fault = Fault::new(Code::BadRate, node.span.clone(), format!("{currency} is the base, in which the others are told"));
        faults.push(fault.help("remove it"));
    } else if !rates.add(currency, since, rate) {
        let fault = Fault::new(Code::BadRate, item.span.clone(), format!("{currency} has a rate from then on already"));
        faults.push(fault.help("remove one of the two, or say by `since` when the later one begins"));
    }
}

fn code<'n>(node: &'n Node, what: &str, faults: &mut Vec<Fault>) -> Option<&'n str> {
    let text = reader::text(node, what, faults)?;
    if is_code(text) {
        return Some(text);
    }
    let fault = Fault::new(Code::BadRate, node.span.clone(), format!("`{text}` is no currency"));
    faults.push(fault.help("name it by its code, as ISO 4217 has it: EGP"));
    None
}

/// A decimal as it is written: what YAML makes of it is a double, which is near and not the same.
fn per_unit(text: &str, node: &Node, faults: &mut Vec<Fault>) -> Option<Rate> {
    let written = text.get(node.span.clone()).unwrap_or_default().trim();
    let rate = if matches!(node.value, NodeValue::Int(_) | NodeValue::Float(_)) { Rate::parse(written) } else { None };
    if rate.is_none() {
        let shown = if written.is_empty() { node.kind().to_owned() } else { format!("`{written}`") };
        let message = format!("`per_unit` is {shown}, expected a decimal above 0");
        let help =
            format!("how much of the base one is worth, in {DIGITS_MAX} digits at most, {SCALE_MAX} of them behind the point: 47.85");
        faults.push(Fault::new(Code::BadRate, node.span.clone(), message).help(help));
    }
    rate
}
