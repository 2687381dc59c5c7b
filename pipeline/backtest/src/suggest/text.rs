//! Suggestions in lines.

use super::{Edit, Held, Suggested, Suggestion};
use crate::share::Share;
use crate::text::{align, grouped, line, number, percent, share, table, written};

impl Suggested {
    /// In lines, for a person.
    pub fn text(&self) -> String {
        let Self { rule, from, to, alerts, precision, suggestions, tried, notes } = self;
        let mut out = String::new();
        line(&mut out, &format!("{rule}, {from} to {to}: {} alerts, right {}", grouped(*alerts), share(*precision)));
        for note in notes {
            line(&mut out, &format!("note: {note}"));
        }
        let Some(first) = suggestions.first() else {
            let tried = grouped(*tried as u64);
            line(&mut out, &format!("{tried} other values of single parameters were tried, and none is better by what is known"));
            return out;
        };
        let mut rows = table(&["parameter", "from", "to", "alerts", "false gone", "true kept", "right", "95 %", "F1", "in other weeks"]);
        for suggestion in suggestions {
            rows.add_row(row(suggestion));
        }
        align(&mut rows, &[1, 2, 3, 4, 5, 6, 7, 8]);
        line(&mut out, "");
        out.push_str(&written(&rows));
        if suggestions.iter().any(|suggestion| suggestion.overridden) {
            line(&mut out, "* an override sets it too; where that applies, this changes nothing");
        }
        if let Some(Edit { file, line: number, old, new }) = &first.edit {
            line(&mut out, &format!("\nthe first is one line, {file}:{number}; nothing is changed by this command:"));
            line(&mut out, &format!("- {old}\n+ {new}"));
        }
        out
    }
}

fn row(suggestion: &Suggestion) -> [String; 10] {
    let Suggestion { param, from, to, alerts, spared, kept, precision, f1, held, overridden, .. } = suggestion;
    let of = |share: Share| format!("{} of {}", grouped(share.hits), grouped(share.of));
    let interval = precision.interval().map_or_else(String::new, |(low, high)| format!("{} to {}", percent(low), percent(high)));
    let held = held.as_ref().map_or_else(String::new, |Held { weeks, spared, kept, chosen }| {
        format!("{weeks} weeks: {} gone, {} kept, by {}", of(*spared), of(*kept), chosen.join(", "))
    });
    [
        if *overridden { format!("{param} *") } else { param.clone() },
        from.clone(),
        to.clone(),
        grouped(*alerts),
        of(*spared),
        of(*kept),
        precision.share().map_or_else(|| "–".to_owned(), percent),
        interval,
        number(*f1),
        held,
    ]
}
