//! `cargo xtask pages`: pages of the documentation that are made from the code, committed, and checked: the rule reference
//! from the rule files' JSON Schema, the detectors' page from the headers of their files, the configuration's page from its
//! JSON Schema, the pages of commands, HTTP and event types from what
//! `rasid reference` prints.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

use crate::step;

/// What stands beside a rule's own keys.
const PARTS: [(&str, &str); 8] = [
    ("OverrideFile", "An override"),
    ("TestFile", "A test"),
    ("EventFile", "An event of a test"),
    ("AlertFile", "An alert that a test expects"),
    ("ListFile", "A list: `lists/<name>.yaml`"),
    ("EntryFile", "An entry of a list"),
    ("RatesFile", "Rates of currencies: `rates.yaml`"),
    ("RateFile", "A rate"),
];

pub(crate) fn run(check: bool) -> Result<()> {
    step::timed("pages", || {
        let mut stale = false;
        let reference = step::output("rasid reference", step::rasid(["reference"])?)?;
        let reference: Value = serde_json::from_slice(&reference).context("what `rasid reference` prints")?;
        let dashboard = |name: &str| {
            let found = reference.get("dashboards").and_then(|dashboards| dashboards.get(name)).context("a dashboard")?;
            Ok::<_, anyhow::Error>(format!("{}\n", serde_json::to_string_pretty(found)?))
        };
        let pages = [
            ("dashboards/grafana/rasid-pipeline.json", dashboard("rasid-pipeline")?),
            ("dashboards/grafana/rasid-alerts.json", dashboard("rasid-alerts")?),
            ("docs/rule-reference.md", rule_reference(&reference)?),
            ("docs/rule-faults.md", rule_faults(&reference)?),
            ("docs/language.md", crate::language::page(&reference)?),
            ("docs/detectors.md", detectors(&reference)?),
            ("docs/configuration.md", configuration()?),
            ("docs/commands.md", commands(&reference)?),
            ("docs/http.md", http(&reference)?),
            ("docs/events.md", events(&reference)?),
        ];
        for (file, text) in pages {
            let path = step::root().join(file);
            if !check {
                fs::write(&path, text).with_context(|| format!("cannot write {file}"))?;
                eprintln!("wrote {file}");
            } else if fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n") != text {
                stale = true;
                eprintln!("{file} is not what the code says; `cargo xtask pages` writes it");
            }
        }
        if stale { Err(step::Failed::new("pages --check", 1).into()) } else { Ok(()) }
    })
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(step::root().join(file)).with_context(|| format!("cannot read {file}"))
}

fn rule_reference(reference: &Value) -> Result<String> {
    let schema: Value = serde_json::from_str(&read("rules/rule.schema.json")?).context("rules/rule.schema.json")?;
    let nothing = Map::new();
    let defs = schema.get("$defs").and_then(Value::as_object).unwrap_or(&nothing);
    let mut page = "# Rule reference\n\nMade from the types by `cargo xtask pages`; [first-rule.md](first-rule.md) is the way in, [rules.md](rules.md) says how\n\
        rules are put together, and [language.md](language.md) what conditions are made of. Spans of time are whole numbers with ms, s, m, h or d: `90s`, `10m`, `1h30m`.\n\n## A rule\n\n"
        .to_owned();
    table(&mut page, &schema)?;
    page.push_str("\n## What `let` binds\n\nEach is a map; its first key says what it computes. Windows are open at their start and include the event itself. An event that lies a window or more behind a newer one of its key has no value: a flood that arrives wholly behind newer events is missed, and counted by rule (`rasid_rule_behind_events_total`).\n");
    let (detectors, aggregates): (Vec<&Value>, Vec<&Value>) = bindings(&schema).partition(|form| is_detector(form));
    ensure!(!detectors.is_empty() && !aggregates.is_empty(), "the schema of bindings has no forms");
    for form in aggregates {
        section(&mut page, Some(form), title(form)?)?;
    }
    page.push_str(
        "\nDetectors are bound as `{detector: name, by: kind, …}`: [detectors.md](detectors.md). `match` stands in place of `by`, or beside it.\n",
    );
    for (name, title) in PARTS {
        section(&mut page, defs.get(name), title)?;
    }
    kinds(&mut page, reference)?;
    Ok(page)
}

/// Every code of a fault or a warning.
fn rule_faults(reference: &Value) -> Result<String> {
    let mut page = "# Faults and warnings of rules\n\nMade from the code by `cargo xtask pages`: what `rasid check` may say of rule files, by the code in its brackets. A fault refuses the\n\
        ruleset, a warning does not. The text beside a code names the place and says what to write instead; [rules.md](rules.md#what-is-warned-of) says more of\n\
        warnings. A code means the same for ever.\n\n| code | | what it means |\n|---|---|---|\n"
        .to_owned();
    for code in list(reference, "codes")? {
        let sort = if code.get("warning").and_then(Value::as_bool) == Some(true) { "warning" } else { "fault" };
        writeln!(page, "| `{}` | {sort} | {} |", member(code, "code")?, words(member(code, "about")?))?;
    }
    Ok(page)
}

/// The kinds of entity, each with the fields that name it.
fn kinds(page: &mut String, reference: &Value) -> Result<()> {
    let mut kinds: Vec<(&str, Vec<&str>)> =
        list(reference, "kinds")?.iter().filter_map(|kind| Some((kind.as_str()?, Vec::new()))).collect();
    for field in list(reference, "events")?.iter().flat_map(|event| list(event, "fields").into_iter().flatten()) {
        let named = field.get("kinds").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for kind in named {
            let name = member(field, "name")?;
            if let Some((_, fields)) = kinds.iter_mut().find(|(other, fields)| *other == kind && !fields.contains(&name)) {
                fields.push(name);
            }
        }
    }
    page.push_str("\n## Kinds of entity\n\nWhat `by`, `match` and `entity` name, and the fields that name it; [events.md](events.md) has them by type.\n\n");
    page.push_str("| kind | fields |\n|---|---|\n");
    for (kind, fields) in kinds {
        let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        writeln!(page, "| `{kind}` | {} |", if kind == "all" { "none: it is the whole stream".to_owned() } else { fields.join(", ") })?;
    }
    Ok(())
}

fn section(page: &mut String, def: Option<&Value>, title: &str) -> Result<()> {
    let Some(def) = def else { return Ok(()) };
    writeln!(page, "\n### {title}\n\n{}\n", text(def))?;
    table(page, def)
}

/// The keys of an object: name, whether it must be there, what it is.
fn table(page: &mut String, object: &Value) -> Result<()> {
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return Ok(()) };
    let required: Vec<&str> = object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    // Of `by` and `match` one must stand there, which a schema's list of what is required cannot say.
    let must = |name: &str| match name {
        _ if required.contains(&name) => (0, "required"),
        "by" if properties.contains_key("match") => (1, "this or `match`"),
        "by" => (0, "required"),
        "match" => (2, "this or `by`"),
        _ => (3, ""),
    };
    page.push_str("| key | | what it is |\n|---|---|---|\n");
    let mut rows: Vec<_> = properties.iter().map(|(name, property)| (must(name), name, property)).collect();
    rows.sort_by_key(|((rank, _), ..)| *rank);
    for ((_, must), name, property) in rows {
        writeln!(page, "| `{name}` | {must} | {} |", text(property).replace('|', "\\|"))?;
    }
    Ok(())
}

/// A description on one line, with the bounds and the default that the schema knows.
fn text(property: &Value) -> String {
    let mut text = property.get("description").and_then(Value::as_str).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let number = |key: &str| property.get(key).map(Value::to_string);
    if let (Some(low), Some(high)) = (number("minimum"), number("maximum")) {
        text = format!("{text} From {low} to {high}.");
    }
    match property.get("default") {
        None | Some(Value::Null) => {}
        Some(_) if text.contains("Default") => {}
        Some(default) => text = format!("{text} Default `{}`.", default.to_string().trim_matches('"')),
    }
    text
}

fn commands(reference: &Value) -> Result<String> {
    let mut page = "# Commands\n\nMade from the program by `cargo xtask pages`: what `rasid COMMAND --help` prints. Options that set the configuration are those of\n\
        [configuration.md](configuration.md). Exit status 0: done; 1: the answer is no, and said; 2: bad usage, rule file or\n\
        configuration; 3: something outside failed.\n"
        .to_owned();
    for command in list(reference, "commands")? {
        let (name, help) = (member(command, "name")?, member(command, "help")?);
        let depth = if name.split(' ').count() > 2 { "###" } else { "##" };
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        writeln!(page, "\n{depth} `{name}`\n\n```text\n{}\n```", help.join("\n").trim())?;
    }
    Ok(page)
}

fn http(reference: &Value) -> Result<String> {
    let mut page = "# HTTP\n\nMade from the program by `cargo xtask pages`. Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem documents: 404 at\n\
        another path, 405 for another method, and `Allow` says what there is.\n\n## At `server.listen`\n\n\
        Anybody who reaches the port may ask: [operations.md](operations.md), Strangers.\n\n"
        .to_owned();
    endpoints(&mut page, list(reference, "endpoints")?)?;
    page.push_str(
        "\n## With a token\n\nAt `server.listen` too, with `authorization: Bearer rsd_…`. [`rasid token create --owner NAME`](commands.md) makes a token; over a\n\
        connection that others can read none is taken: that takes TLS. 401: no token, or one that is good no more; 403: it has not the\nscope; 400: the \
        question cannot be read; 404: there is no such thing; 422: it is refused; 503: not now. What is done stands in the\naudit under the token's owner. As an \
        [OpenAPI document](schema/openapi.json), at `/openapi.json` too.\n\n| | path | scope | what it does |\n|---|---|---|---|\n",
    );
    for operation in list(reference, "operations")? {
        let (method, path, scope) = (member(operation, "method")?, member(operation, "path")?, member(operation, "scope")?);
        writeln!(page, "| {method} | `{path}` | `{scope}` | {} |", words(member(operation, "about")?))?;
    }
    page.push_str(
        "\n## On the control socket\n\n`control.sock` in the data folder, for whoever may open that file; the kernel says who asks. The commands of\n\
        [commands.md](commands.md) ask by it. A GET has its question in the query, a POST as JSON in its body, 2 MB at most. 400: it\n\
        cannot be read; 422: it is refused; 503: not now.\n\n",
    );
    endpoints(&mut page, list(reference, "questions")?)?;
    Ok(page)
}

fn events(reference: &Value) -> Result<String> {
    let mut page = "# Event types\n\nMade from the types by `cargo xtask pages`: what stands in `data`, by type. The envelope around it is [CloudEvents \
        1.0](https://cloudevents.io),\nthe whole its [JSON Schema](schema/events.json); fields that are not listed are kept, and rules may read them. A rule counts by the\n\
        kinds that a field names: `user(user_id)`. What never leaves stands in no alert, log line or figure; whatever reads as a phone,\nan e-mail \
        address or their like leaves as a pseudonym in any field.\n"
        .to_owned();
    let events = list(reference, "events")?;
    for (number, event) in events.iter().enumerate() {
        writeln!(page, "\n## `{}`\n\n{}\n", member(event, "name")?, words(member(event, "about")?))?;
        if let Some(first) = events.iter().take(number).find(|other| other.get("fields") == event.get("fields")) {
            let name = member(first, "name")?;
            writeln!(page, "It has the fields of [`{name}`](#{}).", name.replace('.', ""))?;
            continue;
        }
        page.push_str("| field | | type | names | leaves | what it is |\n|---|---|---|---|---|---|\n");
        for field in list(event, "fields")? {
            let required = if field.get("required").and_then(Value::as_bool) == Some(true) { "required" } else { "" };
            let kinds: Vec<&str> = field.get("kinds").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let (name, ty, leaves) = (member(field, "name")?, member(field, "type")?, member(field, "leaves")?);
            writeln!(page, "| `{name}` | {required} | {ty} | {} | {leaves} | {} |", kinds.join(", "), words(member(field, "about")?))?;
        }
    }
    Ok(page)
}

/// A description on one line of a table.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn endpoints(page: &mut String, endpoints: &[Value]) -> Result<()> {
    page.push_str("| | path | what it does |\n|---|---|---|\n");
    for endpoint in endpoints {
        writeln!(page, "| {} | `{}` | {} |", member(endpoint, "method")?, member(endpoint, "path")?, words(member(endpoint, "about")?))?;
    }
    Ok(())
}

pub(crate) fn list<'a>(reference: &'a Value, name: &str) -> Result<&'a [Value]> {
    let list = reference.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    list.map(Vec::as_slice).with_context(|| format!("`rasid reference` has no {name}"))
}

pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in {value}"))
}

/// The sections of the configuration, in the order in which people meet them.
const SECTIONS: [&str; 14] = [
    "rules",
    "data",
    "pseudonyms",
    "secrets",
    "sources",
    "log",
    "engine",
    "snapshot",
    "outbox",
    "alerts",
    "archive",
    "sinks",
    "server",
    "telemetry",
];

fn configuration() -> Result<String> {
    let schema: Value = serde_json::from_str(&read("docs/schema/config.schema.json")?).context("docs/schema/config.schema.json")?;
    let mut page = "# Configuration\n\nMade from the types by `cargo xtask pages`. One TOML file, `rasid.toml` or `--config FILE`. The environment is over \
        the file:\n`RASID_` and the option with two underscores between its parts, `RASID_ENGINE__THREADS=4`, lists with commas. The command line is\n\
        over the environment: `--set engine.threads=4`. `rasid config show` prints every value with its origin. Secrets come from a file\n\
        (`…_file`) or from the environment; one in the configuration or on the command line is refused. Editors complete the file\n\
        from [its JSON Schema](schema/config.schema.json).\n"
        .to_owned();
    let known = schema.pointer("/properties").and_then(Value::as_object).map_or(0, Map::len);
    ensure!(known == SECTIONS.len(), "the configuration has {known} sections and its page {}", SECTIONS.len());
    for name in SECTIONS {
        let section = schema.pointer(&format!("/properties/{name}")).with_context(|| format!("no section {name}"))?;
        options(&mut page, &schema, section, name, 2)?;
    }
    Ok(page)
}

/// A section: its own options in a table, the sections in it below.
fn options(page: &mut String, root: &Value, section: &Value, path: &str, depth: usize) -> Result<()> {
    let target = resolved(root, section);
    let Some(properties) = target.get("properties").and_then(Value::as_object) else { return Ok(()) };
    let about = if section.get("description").is_some() { text_of(section) } else { text_of(target) };
    writeln!(page, "\n{} `[{path}]`\n\n{about}", "#".repeat(depth))?;
    let is_section = |value: &Value| resolved(root, value).get("properties").is_some() || value.get("additionalProperties").is_some();
    let (sections, own): (Vec<_>, Vec<_>) = properties.iter().partition(|(_, value)| is_section(value));
    if !own.is_empty() {
        page.push_str("\n| option | | what it does |\n|---|---|---|\n");
    }
    for (name, option) in own {
        writeln!(page, "| `{name}` | {} | {} |", default_of(option), text_of(option).replace('|', "\\|"))?;
    }
    for (name, below) in sections {
        match below.get("additionalProperties") {
            Some(each) => {
                let path = format!("{path}.{name}.NAME");
                options(page, root, each, &path, depth + 1)?;
                writeln!(page, "\n{}", text_of(below))?;
            }
            None => options(page, root, below, &format!("{path}.{name}"), depth + 1)?,
        }
    }
    Ok(())
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| root.pointer(reference.trim_start_matches('#')));
    reference.unwrap_or(schema)
}

/// The default as it would stand in the file.
fn default_of(option: &Value) -> String {
    if option.get("writeOnly").is_some() {
        return "secret".to_owned();
    }
    match option.get("default") {
        None | Some(Value::Null) => "not set".to_owned(),
        Some(default) => format!("`{default}`"),
    }
}

/// A description on one line, with its range.
fn text_of(schema: &Value) -> String {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = description.split_whitespace().collect::<Vec<_>>().join(" ");
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) => format!("{text} From {low} to {high}."),
        _ => text,
    }
}

fn detectors(reference: &Value) -> Result<String> {
    let schema: Value = serde_json::from_str(&read("rules/rule.schema.json")?).context("rules/rule.schema.json")?;
    let mut page =
        "# Detectors\n\nMade from the headers of their files and from their parameters by `cargo xtask pages`. A rule binds one as\n\
        `name: {detector: …, by: kind, …parameters}` and then reads `name.fired` and the fields of its signal.\n"
            .to_owned();
    for form in bindings(&schema).filter(|form| is_detector(form)) {
        let file = form.get("$comment").and_then(Value::as_str).context("a detector's schema names its file")?;
        let source = read(file)?;
        let header: Vec<&str> =
            source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        writeln!(page, "\n## {}\n\n{}\n", title(form)?, header.join("\n"))?;
        table(&mut page, form)?;
        signal(&mut page, reference, title(form)?)?;
        writeln!(page, "\nCode: [{file}](../{file})")?;
    }
    Ok(page)
}

/// What a rule reads of something that fired.
fn signal(page: &mut String, reference: &Value, name: &str) -> Result<()> {
    let fields =
        reference.pointer(&format!("/signals/{name}")).and_then(Value::as_array).with_context(|| format!("no signal of {name}"))?;
    page.push_str("\n| read as | type | what it is |\n|---|---|---|\n| `name.fired` | bool | Whether it fired at this event. |\n");
    for field in fields {
        let about = words(member(field, "about")?);
        let (first, rest) = about.split_at(about.chars().next().map_or(0, char::len_utf8));
        writeln!(page, "| `name.{}` | {} | {}{rest}. |", member(field, "name")?, member(field, "type")?, first.to_uppercase())?;
    }
    Ok(())
}

/// The forms of a binding, in the order of the list of operators.
fn bindings(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.pointer("/$defs/Binding/anyOf").and_then(Value::as_array).into_iter().flatten()
}

fn is_detector(form: &Value) -> bool {
    form.pointer("/properties/detector").is_some()
}

fn title(form: &Value) -> Result<&str> {
    form.get("title").and_then(Value::as_str).context("the schema of a binding has a title")
}
