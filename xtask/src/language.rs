//! The page of the rule language: functions, loops, limits and what is refused, from the compiler's own tables.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::pages::{list, member, words};

const HEAD: &str = "# Conditions

Made from the code by `cargo xtask pages`; each example is run by a test. A condition is [CEL](https://cel.dev): `when` of a rule,
`where` of a binding, `if` of an override. What is taken behaves exactly as CEL says, and what is not is refused with its name;
`cargo xtask cel` runs cel-spec's tests.

## What is named

| | what it is |
|---|---|
| `data.field`, `data.object.field` | a field of the event ([events.md](events.md)); of an optional one `has(data.field) && …` is asked first |
| `data[\"name\"]`, `\"name\" in data` | a field outside the contract, whose type is found when it is read; a list of scalars too |
| `params.name` | a parameter of the rule, also a list |
| `name`, `name.fired`, `name.field` | a binding of `let` or `shared.yaml` |
| `time` | the event clock, a timestamp |
| `list.name` | to the right of `in`: whether the list has it now |
| `place` | where the event is: its `location`, or its own `lat` and `lon` |
| `zone.name` | to the right of `in`, behind a place: whether it lies in that area of `lists/name.geojson`, or on its edge |

Types are bool, int, double, string, timestamp, duration, and lists of them. Operators are `&& || ! ? : == != < <= > >= + - * / % in [ ]`; an
int and a double compare as doubles and are not added. Counts and sums are int, and of two of them `/` leaves the fraction off: a share is `double(a) / double(b)`. `data.lines` of a `ledger.posted` is a list of objects: `data.lines[0].amount`,
`data.lines.all(l, l.amount > 0)`; `data.points` of a `gps.route_planned` one of points: `data.points[0][0]` is a latitude.

## What a missing value does

A part that reads what is not there has no value, as CEL has it: an absent field of an object, a window that holds nothing, an element
without that field. `a || b` is true where one side is, `a && b` false where one side is, whatever the other lacks; `all` and `exists` are the
same over elements. Where the whole has no value, the event is no hit, and is counted (`rasid_rule_errors_total`). Overflow,
division by zero, a text that cannot be converted, an index outside and a limit of this page are such errors too.

## Functions

| | what it gives | holds |
|---|---|---|
";

pub(crate) fn page(reference: &Value) -> Result<String> {
    let mut page = HEAD.to_owned();
    rows(&mut page, list(reference, "functions")?)?;
    page.push_str(
        "\nZones are names of the IANA database, which is built in (no file of the machine is read), or offsets: `Africa/Cairo`, `+02:00`. One that is\n\
        written out is looked for when the rule is checked. Timestamps and durations are kept to the millisecond: a constant that says\n\
        more is refused, what an event brings is cut. A duration is 292 years long at most.\n\n\
        ## Loops\n\n`x` is any name. Loops may stand in loops; the variable is known in the loop alone.\n\n| | what it gives | holds |\n|---|---|---|\n",
    );
    rows(&mut page, list(reference, "loops")?)?;
    page.push_str("\n## Limits\n\nBeyond the first four a rule is refused; beyond the others the condition has no value at that event.\n\n| | at most |\n|---|---|\n");
    for limit in list(reference, "limits")? {
        let [what, most] = pair(limit)?;
        writeln!(page, "| {what} | {most} |")?;
    }
    page.push_str("\n## What is refused\n\n| | instead |\n|---|---|\n");
    for refused in list(reference, "refused")? {
        let [name, instead] = pair(refused)?;
        writeln!(page, "| `{name}` | {} |", words(instead))?;
    }
    for refused in list(reference, "refused_forms")? {
        let [form, example] = pair(refused)?;
        writeln!(page, "| {form}: `{}` | |", words(example))?;
    }
    Ok(page)
}

fn rows(page: &mut String, known: &[Value]) -> Result<()> {
    for known in known {
        let code = |name: &str| -> Result<String> {
            let texts = list(known, name)?.iter().filter_map(Value::as_str);
            Ok(texts.map(|text| format!("`{}`", words(text))).collect::<Vec<_>>().join("<br>"))
        };
        writeln!(page, "| {} | {} | {} |", code("forms")?, words(member(known, "about")?), code("examples")?)?;
    }
    Ok(())
}

fn pair(value: &Value) -> Result<[&str; 2]> {
    let texts: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    texts.try_into().ok().with_context(|| format!("no pair: {value}"))
}
