//! One rule file's tree into a rule.

use std::sync::Arc;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::value::OwnedValue;

use crate::binding::{self, Beside, Draft};
use crate::diagnostic::{Code, Fault, suggest};
use crate::expression::List;
use crate::key::KeySpec;
use crate::lint;
use crate::list::Lists;
use crate::names::{Param, Tables};
use crate::program::{self, Programs};
use crate::reader::{self, MapReader};
use crate::ruleset::{Advice, Brake, Mode, Prose, Receiver, Rule, Severity, Weight, WhileWarming};
use crate::scenario::{self, Subject};
use crate::severity;
use crate::shared::{self, Shared};
use crate::template;
use crate::terms::Terms;
use crate::yaml::{Key, Node, NodeValue, TextMap};

const DAY_MS: i64 = 86_400_000;
/// The most that a rule's condition and bindings come to, written out for every event type and override, bytes. A rule of a thousand bytes
/// with fifty overrides at five types comes to a quarter of a MiB.
const WRITTEN_OUT_MAX: usize = 4 << 20;
/// Half-lives that a rule may have. Scores say them in whole seconds: below one, a reader would divide by zero.
const HALF_LIFE_MS: std::ops::RangeInclusive<i64> = 1_000..=365 * DAY_MS;

/// A rule whose triggers name bindings by their index in `lets`, and those bindings.
pub(crate) struct Lowered {
    pub(crate) id: Option<(String, std::ops::Range<usize>)>,
    /// `None` where anything has a fault.
    pub(crate) rule: Option<Rule>,
    pub(crate) lets: Vec<Draft>,
    /// What is odd about the rule and no fault.
    pub(crate) warnings: Vec<Fault>,
}

/// What rule files share.
pub(crate) struct Library<'a> {
    pub(crate) tables: Tables,
    pub(crate) shared: Shared<'a>,
}

/// Lowers one file; `name` is its path below the rules directory, `source` its number.
pub(crate) fn lower(name: &str, text: &str, root: &Node, source: usize, library: &Library<'_>, faults: &mut Vec<Fault>) -> Lowered {
    let before = faults.len();
    let nothing = Lowered { id: None, rule: None, lets: Vec::new(), warnings: Vec::new() };
    let Some(mut map) = MapReader::new(root, "a rule", faults) else { return nothing };

    let id = map.required("rule", faults).and_then(|node| id(node, name, faults));
    let title = map.required("title", faults).and_then(|node| reader::text(node, "`title`", faults));
    let severity = map.optional("severity").map_or(Some(Severity::Sev2), |node| severity::read(node, faults));
    let mode = word_or(Mode::Active, &mut map, "mode", &MODES, faults);
    let while_warming = word_or(WhileWarming::Shadow, &mut map, "while_warming", &WHILE_WARMING, faults);
    let bound = map.optional("let");
    let on = map.required("on", faults).map(|node| binding::looked_at(node, bound, faults)).unwrap_or_default();
    let entity = map.required("entity", faults).and_then(|node| entity(node, faults));
    let params = map.optional("params").map(|node| params(node, faults)).unwrap_or_default();
    let kind = entity.as_ref().map(|(kind, _)| *kind);
    let overrides = map.optional("overrides").map(|node| program::overrides(node, &params, kind, faults)).unwrap_or_default();
    let except = map.optional("except").map(|node| except(node, &library.tables.lists, faults)).unwrap_or_default();
    let tables = &library.tables;
    let plain = program::plain_names(&params);
    let beside = Beside { on: &on, tables, params: &plain, fires: &library.shared.fires_of(binding::entries(bound), &on, tables) };
    let mut lets = bound.map(|node| binding::lower(text, node, beside, faults)).unwrap_or_default();
    let when = map.required("when", faults);
    if is_too_much(on.len() * (overrides.len() + 1), when, bound, faults) {
        return nothing;
    }
    let risk = map.optional("risk").map_or(Some(0), |node| risk(node, kind, faults));
    let (half_life, suppress, brake) = how_loud(&mut map, faults);
    let deliver = map.optional("deliver").map(|node| deliver(node, faults));
    let (advice, advice_for) = advised(&mut map, kind, &overrides, faults);
    let usual = Weight {
        severity: severity.unwrap_or(Severity::Sev2),
        risk: risk.and_then(|risk| u8::try_from(risk).ok()).unwrap_or_default(),
        deliver: deliver.unwrap_or_default(),
        advice,
    };
    let explain = map.required("explain", faults);
    let (runbook, prose) = words(&mut map, faults);
    let tests = map.optional("tests");
    map.finish(faults);

    let condition = when.and_then(|node| program::condition(node, "`when`", faults));
    let when = condition.as_ref().and_then(|condition| condition.parse(text, faults));
    let parts = explain.and_then(|node| {
        let template = reader::text(node, "`explain`", faults)?;
        template::parse(template, &TextMap::new(text, &node.span, template), faults)
    });
    let mentioned = shared::mentioned(when.as_ref(), parts.as_deref());
    let own = lets.len();
    lets.extend(library.shared.attach(&lets, &mentioned, binding::entries(bound), &on, tables, faults));
    let named = lets.len();
    let others = bound.map(|node| program::lets_of_overrides(text, node, beside, &overrides, &mut lets, faults)).unwrap_or_default();
    let programs = Programs {
        text,
        library,
        lets: &lets,
        own,
        named,
        others: &others,
        usual: &usual,
        except: &except,
        params: &params,
        overrides: &overrides,
        on: &on,
        entity: entity.as_ref().map(|(_, spec)| spec),
        when: when.as_ref(),
        parts: parts.as_deref(),
        root,
    };
    let (triggers, unknowns) = programs.lower(faults);
    let is_whole = lets.iter().take(own).all(|draft| draft.binding.is_some());
    let about = Subject { on: &on, entity: kind, unknowns: &unknowns, waits: &binding::waits(&lets), is_whole };
    let tests = tests.map(|node| scenario::lower(node, &about, faults)).unwrap_or_default();
    // Severity and risk stand in the programs; one with a fault leaves no rule.
    let spans = half_life.zip(suppress.zip(brake)).zip(advice_for.unwrap_or(half_life));
    let parts = (id.clone().filter(|_| faults.len() == before), title, mode.zip(while_warming), entity, spans);
    let (
        Some((id_text, id_span)),
        Some(title),
        Some((mode, while_warming)),
        Some((entity, _)),
        Some(((half_life_ms, (suppress_ms, brake)), advice_for_ms)),
    ) = parts
    else {
        return Lowered { id, rule: None, lets, warnings: Vec::new() };
    };
    let rule = Rule {
        id: id_text,
        title: title.to_owned(),
        mode,
        while_warming,
        entity,
        terms: Terms::of(text, when.as_ref(), &triggers, root, except.len()),
        triggers,
        half_life_ms,
        advice_for_ms,
        suppress_ms,
        brake,
        runbook,
        prose,
        tests,
        source,
    };
    let warnings = lint::warnings(&rule, &lets, own, &id_span);
    Lowered { id, rule: Some(rule), lets, warnings }
}

/// The word under a key, and the usual one where there is none; `None` where it has a fault.
fn word_or<T: Copy>(usual: T, map: &mut MapReader<'_>, key: &'static str, words: &[(&str, T)], faults: &mut Vec<Fault>) -> Option<T> {
    map.optional(key).map_or(Some(usual), |node| reader::word(node, &format!("`{key}`"), words, faults))
}

/// Whether a rule's condition and bindings, written out for each of its cases, which are event types times overrides, come to more
/// than anybody means: each is checked, and kept, by itself.
fn is_too_much(cases: usize, when: Option<&Node>, bound: Option<&Node>, faults: &mut Vec<Fault>) -> bool {
    let bytes: usize = when.iter().chain(&bound).map(|node| node.span.len()).sum();
    let is_too_much = cases.saturating_mul(bytes) > WRITTEN_OUT_MAX;
    if is_too_much {
        let most = WRITTEN_OUT_MAX >> 20;
        let message =
            format!("{bytes} bytes of `when` and `let` for each of {cases} cases, by event types and overrides: more than {most} MiB");
        let span = when.or(bound).map_or(0..0, |node| node.span.clone());
        let help = "make several rules of it, or fewer overrides: a list of values says at once what many would";
        faults.push(Fault::new(Code::TooMuch, span, message).help(help));
    }
    is_too_much
}

/// What is for people alone: the runbook, and the rest.
fn words(map: &mut MapReader<'_>, faults: &mut Vec<Fault>) -> (Option<String>, Prose) {
    let mut text = |key: &'static str| {
        let node = map.optional(key)?;
        reader::text(node, &format!("`{key}`"), faults).map(|text| text.trim().to_owned())
    };
    let (runbook, description, false_positives) = (text("runbook"), text("description"), text("false_positives"));
    let (owner, known_gaps) = (text("owner"), text("known_gaps"));
    let mut references = Vec::new();
    if let Some(node) = map.optional("references") {
        for item in reader::one_or_more(node, "`references`", faults) {
            references.extend(reader::text(item, "a reference", faults).map(str::to_owned));
        }
    }
    (runbook, Prose { description, owner, false_positives, known_gaps, references })
}

const MODES: [(&str, Mode); 3] = [("active", Mode::Active), ("shadow", Mode::Shadow), ("off", Mode::Off)];
const WHILE_WARMING: [(&str, WhileWarming); 2] = [("shadow", WhileWarming::Shadow), ("active", WhileWarming::Active)];
pub(crate) const ADVICE: [(&str, Advice); 4] =
    [("watch", Advice::Watch), ("challenge", Advice::Challenge), ("hold", Advice::Hold), ("block", Advice::Block)];
const RECEIVERS: [(&str, Receiver); 2] = [("core", Receiver::Core), ("oncall", Receiver::Oncall)];

/// A list whose entries a rule spares.
pub(crate) struct Spared {
    pub(crate) list: Arc<List>,
    pub(crate) span: std::ops::Range<usize>,
}

/// The lists whose entries the rule spares; those that do not exist are faults.
fn except(node: &Node, lists: &Lists, faults: &mut Vec<Fault>) -> Vec<Spared> {
    let mut spared = Vec::new();
    for item in reader::one_or_more(node, "`except`", faults) {
        let Some(name) = reader::text(item, "`except`", faults) else { continue };
        let name = name.strip_prefix("list.").unwrap_or(name);
        match lists.get(name) {
            Some(Some(list)) => spared.push(Spared { list: Arc::clone(list), span: item.span.clone() }),
            Some(None) => {} // it has a fault of its own
            None => {
                let fault = Fault::new(Code::UnknownList, item.span.clone(), format!("there is no list `{name}`"));
                let help = match suggest(name, lists.keys().map(String::as_str)) {
                    meant if meant.starts_with("did") => meant,
                    _ => format!("write it as lists/{name}.yaml, with a `kind` that the rule's entity is"),
                };
                faults.push(fault.help(help));
            }
        }
    }
    spared
}

/// The rule's id, which says where its file lies.
fn id(node: &Node, file: &str, faults: &mut Vec<Fault>) -> Option<(String, std::ops::Range<usize>)> {
    let text = reader::text(node, "`rule`", faults)?;
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase()) && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut refuse = |message: String, help: String| {
        faults.push(Fault::new(Code::BadId, node.span.clone(), message).help(help));
        None
    };
    let Some((area, stem)) = text.split_once('.').filter(|(area, stem)| word(area) && word(stem)) else {
        return refuse(
            format!("`{text}` is no id of a rule"),
            "area.name in lower-case letters, digits and `_`: auth.otp_flood".to_owned(),
        );
    };
    let (folder, file_name) = file.rsplit_once('/').map_or((None, file), |(folder, name)| (Some(folder), name));
    let file_stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    if file_stem != stem {
        return refuse(
            format!("the rule `{text}` stands in a file called `{file_name}`"),
            format!("rename the file to {stem}.yaml, or the rule to {area}.{file_stem}"),
        );
    }
    if let Some(folder) = folder.filter(|folder| *folder != area) {
        return refuse(
            format!("the rule `{text}` stands in the folder `{folder}`"),
            format!("move the file to {area}/{file_name}, or rename the rule to {}.{stem}", folder.replace('/', "_")),
        );
    }
    Some((text.to_owned(), node.span.clone()))
}

/// Whom the rule is about.
fn entity(node: &Node, faults: &mut Vec<Fault>) -> Option<(EntityKind, KeySpec)> {
    let spec = KeySpec::read(node, "`entity`", faults)?;
    let Some(kind) = spec.kind else {
        let fault = Fault::new(Code::UnknownKind, node.span.clone(), format!("`{}` is no kind of entity", spec.text()));
        faults.push(fault.help("an alert is about somebody, or about all: write user, user(client_id), region, all"));
        return None;
    };
    Some((kind, spec))
}

/// What an alert weighs: nothing where it accuses nobody.
pub(crate) fn risk(node: &Node, entity: Option<EntityKind>, faults: &mut Vec<Fault>) -> Option<i64> {
    let risk = reader::whole(node, "`risk`", 0..=100, faults)?;
    if let Some(kind) = entity.filter(|kind| kind.is_operational() && risk > 0) {
        let message = format!("`risk` is {risk}, and an alert about `{}` accuses nobody", kind.name());
        faults.push(Fault::new(Code::OutOfRange, node.span.clone(), message).help("remove it: nobody has a score of it"));
        return None;
    }
    Some(risk)
}

/// How long its doubt lasts and its hits are only counted, ms, and from how many alerts on people are told of them together.
fn how_loud(map: &mut MapReader<'_>, faults: &mut Vec<Fault>) -> (Option<i64>, Option<i64>, Option<Brake>) {
    let half_life = map.optional("half_life").map_or(Some(DAY_MS), |node| reader::seconds(node, "`half_life`", HALF_LIFE_MS, faults));
    let suppress = map.optional("suppress").map_or(Some(3_600_000), |node| reader::duration(node, "`suppress`", 0..=30 * DAY_MS, faults));
    (half_life, suppress, map.optional("brake").map_or(Some(Brake::USUAL), |node| brake(node, faults)))
}

fn brake(node: &Node, faults: &mut Vec<Fault>) -> Option<Brake> {
    let mut map = MapReader::new(node, "`brake`", faults)?;
    let usual = |number: u64| i64::try_from(number).ok();
    let alerts = map.optional("alerts").map_or(usual(Brake::USUAL.alerts), |node| reader::whole(node, "`alerts`", 0..=1_000_000, faults));
    let share = map.optional("share").map_or(usual(Brake::USUAL.share), |node| reader::whole(node, "`share`", 0..=100, faults));
    map.finish(faults);
    Some(Brake { alerts: u64::try_from(alerts?).ok()?, share: u64::try_from(share?).ok()? })
}

/// What should be done, and, where the rule says it, for how long, ms; inside: `None` where that has a fault.
#[expect(clippy::option_option, reason = "outside: whether it is said; inside: whether it could be read")]
fn advised(
    map: &mut MapReader<'_>,
    entity: Option<EntityKind>,
    overrides: &[program::Override],
    faults: &mut Vec<Fault>,
) -> (Option<Advice>, Option<Option<i64>>) {
    let said = map.optional("advice");
    let advice = said.and_then(|node| advice(node, entity, &ADVICE, faults));
    let span = map.optional("advice_for").map(|node| {
        if said.is_none() && overrides.iter().all(|other| !other.advises()) {
            let fault = Fault::new(Code::Unused, node.span.clone(), "`advice_for` says how long, and nothing is advised");
            faults.push(fault.help("add `advice: challenge`, or remove it"));
        }
        reader::duration(node, "`advice_for`", HALF_LIFE_MS, faults)
    });
    (advice, span)
}

/// What should be done: nothing where the alert accuses nobody.
pub(crate) fn advice<T: Copy>(node: &Node, entity: Option<EntityKind>, words: &[(&str, T)], faults: &mut Vec<Fault>) -> Option<T> {
    let advice = reader::word(node, "`advice`", words, faults)?;
    if let Some(kind) = entity.filter(|kind| kind.is_operational()) {
        let message = format!("`advice` is about somebody, and an alert about `{}` accuses nobody", kind.name());
        faults.push(Fault::new(Code::WrongList, node.span.clone(), message).help("remove it: nobody would be told of it"));
        return None;
    }
    Some(advice)
}

fn deliver(node: &Node, faults: &mut Vec<Fault>) -> Vec<Receiver> {
    let items = reader::one_or_more(node, "`deliver`", faults);
    let words: Vec<_> =
        items.iter().filter_map(|item| Some((item.span.clone(), reader::word(item, "`deliver`", &RECEIVERS, faults)?))).collect();
    reader::set(words, "`deliver`", faults)
}

/// The rule's parameters, in file order. One with a fault is left out; the key keeps its name for the rest.
pub(crate) fn params(node: &Node, faults: &mut Vec<Fault>) -> Vec<(Key, Param)> {
    let NodeValue::Map(entries) = &node.value else {
        faults.push(reader::wrong(node, "`params`", "a map of names and values"));
        return Vec::new();
    };
    let mut out = Vec::new();
    for (key, node) in entries {
        let named = reader::identifier(key, "a parameter", faults);
        let what = format!("`{}`", key.name);
        let scalar = |node: &Node| match &node.value {
            NodeValue::Bool(value) => Some(OwnedValue::Bool(*value)),
            NodeValue::Int(value) => Some(OwnedValue::Int(*value)),
            NodeValue::Float(value) => Some(OwnedValue::Double(*value)),
            NodeValue::Str(value) => Some(OwnedValue::Str(value.as_str().into())),
            NodeValue::Null | NodeValue::Seq(_) | NodeValue::Map(_) => None,
        };
        let param = match &node.value {
            NodeValue::Seq(items) => {
                let values: Vec<OwnedValue> = items
                    .iter()
                    .filter_map(|item| {
                        let value = scalar(item);
                        if value.is_none() {
                            faults.push(reader::wrong(item, &format!("an item of {what}"), "a number, a word, true or false"));
                        }
                        value
                    })
                    .collect();
                Some(Param::List(values))
            }
            _ => scalar(node).map(Param::Scalar),
        };
        match param {
            Some(param) if named => out.push((key.clone(), param)),
            Some(_) => {}
            None => {
                faults.push(reader::wrong(node, &what, "a number, a word, true or false, or a list of them"));
                out.push((key.clone(), Param::Scalar(OwnedValue::Absent)));
            }
        }
    }
    out
}
