//! One rule file's tree into a rule.

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, Privacy};
use rasid_detectors::value::OwnedValue;

use crate::binding::{self, Draft};
use crate::cel::Source;
use crate::diagnostic::{Code, Fault};
use crate::expression::Expr;
use crate::key::KeySpec;
use crate::names::{Bound, Mentions, Names, Param};
use crate::reader::{self, MapReader};
use crate::ruleset::{Mode, Piece, Receiver, Rule, Severity, Shown, Trigger};
use crate::template::{self, Part};
use crate::ty::Ty;
use crate::typecheck::Checker;
use crate::yaml::{Key, Node, NodeValue, TextMap};

const DAY_MS: i64 = 86_400_000;

/// A rule whose triggers name bindings by their index in `lets`, and those bindings.
pub(crate) struct Lowered {
    pub(crate) id: Option<(String, std::ops::Range<usize>)>,
    /// `None` where anything has a fault.
    pub(crate) rule: Option<Rule>,
    pub(crate) lets: Vec<Draft>,
}

/// Lowers one file; `name` is its path below the rules directory.
pub(crate) fn lower(name: &str, text: &str, root: &Node, faults: &mut Vec<Fault>) -> Lowered {
    let before = faults.len();
    let nothing = Lowered { id: None, rule: None, lets: Vec::new() };
    let Some(mut map) = MapReader::new(root, "a rule", faults) else { return nothing };

    let id = map.required("rule", faults).and_then(|node| id(node, name, faults));
    let title = map.required("title", faults).and_then(|node| reader::text(node, "`title`", faults));
    let severity = map.optional("severity").map_or(Some(Severity::Sev2), |node| reader::word(node, "`severity`", &SEVERITIES, faults));
    let mode = map.optional("mode").map_or(Some(Mode::Active), |node| reader::word(node, "`mode`", &MODES, faults));
    let on = map.required("on", faults).map(|node| binding::event_types(node, "on", faults)).unwrap_or_default();
    let entity = map.required("entity", faults).and_then(|node| KeySpec::read(node, "`entity`", faults));
    let params = map.optional("params").map(|node| params(node, faults)).unwrap_or_default();
    let lets = map.optional("let").map(|node| binding::lower(text, node, &on, faults)).unwrap_or_default();
    let when = map.required("when", faults);
    let risk = map.optional("risk").map_or(Some(0), |node| reader::whole(node, "`risk`", 0..=100, faults));
    let half_life = map.optional("half_life").map_or(Some(DAY_MS), |node| reader::duration(node, "`half_life`", 1..=365 * DAY_MS, faults));
    let suppress = map.optional("suppress").map_or(Some(3_600_000), |node| reader::duration(node, "`suppress`", 0..=30 * DAY_MS, faults));
    let deliver = map.optional("deliver").map(|node| deliver(node, faults));
    let explain = map.required("explain", faults);
    let runbook = map.optional("runbook").and_then(|node| reader::text(node, "`runbook`", faults));
    for key in ["description", "false_positives", "known_gaps", "owner"] {
        if let Some(node) = map.optional(key) {
            reader::text(node, &format!("`{key}`"), faults);
        }
    }
    if let Some(node) = map.optional("references") {
        for item in reader::one_or_more(node, "`references`", faults) {
            reader::text(item, "a reference", faults);
        }
    }
    map.finish(faults);

    let triggers = Programs { text, lets: &lets, params: &params, on: &on, entity: entity.as_ref() }.lower(when, explain, faults);
    let parts = (id.clone(), title, severity, mode, entity, risk.and_then(|risk| u8::try_from(risk).ok()), half_life, suppress);
    let (Some((id_text, _)), Some(title), Some(severity), Some(mode), Some(entity), Some(risk), Some(half_life_ms), Some(suppress_ms)) =
        parts
    else {
        return Lowered { id, rule: None, lets };
    };
    let urgent = matches!(severity, Severity::Sev0 | Severity::Sev1);
    let rule = Rule {
        id: id_text,
        title: title.to_owned(),
        severity,
        mode,
        entity: entity.kind,
        triggers,
        risk,
        half_life_ms,
        suppress_ms,
        deliver: deliver.unwrap_or_else(|| if urgent { vec![Receiver::Core, Receiver::Oncall] } else { vec![Receiver::Core] }),
        runbook: runbook.map(str::to_owned),
    };
    Lowered { id, rule: (faults.len() == before).then_some(rule), lets }
}

const SEVERITIES: [(&str, Severity); 4] =
    [("SEV0", Severity::Sev0), ("SEV1", Severity::Sev1), ("SEV2", Severity::Sev2), ("SEV3", Severity::Sev3)];
const MODES: [(&str, Mode); 3] = [("active", Mode::Active), ("shadow", Mode::Shadow), ("off", Mode::Off)];
const RECEIVERS: [(&str, Receiver); 2] = [("core", Receiver::Core), ("oncall", Receiver::Oncall)];

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

fn deliver(node: &Node, faults: &mut Vec<Fault>) -> Vec<Receiver> {
    let items = reader::one_or_more(node, "`deliver`", faults);
    let words: Vec<_> =
        items.iter().filter_map(|item| Some((item.span.clone(), reader::word(item, "`deliver`", &RECEIVERS, faults)?))).collect();
    reader::set(words, "`deliver`", faults)
}

/// The rule's parameters, in file order. One with a fault is left out; the key keeps its name for the rest.
fn params(node: &Node, faults: &mut Vec<Fault>) -> Vec<(Key, Param)> {
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

/// What a rule's programs are made from.
struct Programs<'a> {
    text: &'a str,
    lets: &'a [Draft],
    params: &'a [(Key, Param)],
    on: &'a [EventType],
    entity: Option<&'a KeySpec>,
}

impl Programs<'_> {
    /// Condition and explanation for each type; fewer triggers than types where something has a fault.
    fn lower(&self, when: Option<&Node>, explain: Option<&Node>, faults: &mut Vec<Fault>) -> Vec<Trigger> {
        let condition = when.and_then(|node| condition(node, faults));
        let source =
            condition.as_ref().and_then(|(node, text)| Source::parse(self.text, &node.span, text).map_err(|fault| faults.push(fault)).ok());
        let parts = explain.and_then(|node| {
            let text = reader::text(node, "`explain`", faults)?;
            template::parse(text, &TextMap::new(self.text, &node.span, text), faults)
        });
        let lets: Vec<(String, Option<Bound>)> = self
            .lets
            .iter()
            .enumerate()
            .map(|(index, draft)| (draft.name.name.clone(), draft.binding.as_ref().map(|(_, shape)| shape.bound(index))))
            .collect();
        let params: Vec<(String, Param)> = self.params.iter().map(|(key, param)| (key.name.clone(), param.clone())).collect();
        let names = Names { lets: &lets, params: &params, filter: false };

        let mut triggers = Vec::new();
        let mut mentioned = Mentions::default();
        for event in self.on {
            let entity = self.entity.and_then(|entity| entity.resolve(*event).map_err(|fault| faults.push(fault)).ok());
            let mut mentions = Mentions::default();
            let when = source
                .as_ref()
                .and_then(|source| Checker { source, event: *event, names: &names, mentions: &mut mentions, faults }.condition());
            let mut explained = parts.is_some();
            for part in parts.iter().flatten() {
                if let Part::Name(name, span) = part {
                    explained &= template::check(name, span, *event, &names, &mut mentions, faults).is_some();
                }
            }
            mentioned.lets.extend(&mentions.lets);
            mentioned.params.extend(&mentions.params);
            if let (Some(entity), Some(when), Some(parts), true) = (entity, when, &parts, explained) {
                let shown = shown(*event, &names, &mentions);
                let explain = pieces(parts, &shown);
                triggers.push(Trigger { event: *event, entity, reads: Vec::new(), when, explain, shown });
            }
        }
        if source.is_some() && parts.is_some() && !self.on.is_empty() {
            self.unused(&mentioned, faults);
        }
        triggers
    }

    fn unused(&self, mentioned: &Mentions, faults: &mut Vec<Fault>) {
        for (index, draft) in self.lets.iter().enumerate() {
            if draft.binding.is_some() && !mentioned.lets.contains(&index) {
                let fault = Fault::new(Code::Unused, draft.name.span.clone(), format!("nothing reads `{}`", draft.name.name));
                faults.push(fault.help("name it in `when` or `explain`, or remove it: a binding costs memory"));
            }
        }
        for (index, (key, _)) in self.params.iter().enumerate() {
            if !mentioned.params.contains(&index) {
                let fault = Fault::new(Code::Unused, key.span.clone(), format!("nothing reads the parameter `{}`", key.name));
                faults.push(fault.help(format!("name it as params.{} in `when` or `explain`, or remove it", key.name)));
            }
        }
    }
}

/// The text of the condition; YAML reads a bare `true` or `5` as something else.
fn condition<'a>(node: &'a Node, faults: &mut Vec<Fault>) -> Option<(&'a Node, String)> {
    let text = match &node.value {
        NodeValue::Bool(value) => value.to_string(),
        NodeValue::Int(value) => value.to_string(),
        _ => reader::text(node, "`when`", faults)?.to_owned(),
    };
    Some((node, text))
}

/// What the alert shows: every binding, the parameters and fields that are named.
fn shown(event: EventType, names: &Names<'_>, mentions: &Mentions) -> Vec<Shown> {
    let mut shown = Vec::new();
    for (name, bound) in names.lets {
        match bound {
            Some(Bound::Aggregate { read, privacy, .. }) if *privacy != Privacy::Hidden => {
                shown.push(Shown { name: name.clone(), value: Expr::Binding(*read), privacy: *privacy });
            }
            Some(Bound::Detector { read, spec }) => {
                shown.push(Shown { name: format!("{name}.fired"), value: Expr::Fired(*read), privacy: Privacy::Clear });
                shown.extend(spec.fields.iter().enumerate().map(|(index, field)| Shown {
                    name: format!("{name}.{}", field.name),
                    value: Expr::Signal(*read, index),
                    privacy: Privacy::Clear,
                }));
            }
            _ => {}
        }
    }
    for index in &mentions.params {
        if let Some((name, param)) = names.params.get(*index) {
            let value = match param {
                Param::Scalar(value) => value.clone(),
                Param::List(values) => OwnedValue::Str(values.iter().map(plain).collect::<Vec<_>>().join(", ").into()),
            };
            shown.push(Shown { name: format!("params.{name}"), value: Expr::Const(value), privacy: Privacy::Clear });
        }
    }
    for (path, name) in &mentions.fields {
        let Some((_, spec)) = field::find(event.fields(), name) else { continue };
        if spec.privacy != Privacy::Hidden && Ty::of_field(spec.ty).is_some() {
            shown.push(Shown { name: format!("data.{name}"), value: Expr::Field(*path), privacy: spec.privacy });
        }
    }
    shown
}

fn plain(value: &OwnedValue) -> String {
    match value {
        OwnedValue::Bool(value) => value.to_string(),
        OwnedValue::Int(value) => value.to_string(),
        OwnedValue::Double(value) => value.to_string(),
        OwnedValue::Str(value) => value.to_string(),
        OwnedValue::Absent | OwnedValue::Time(_) | OwnedValue::Duration(_) | OwnedValue::Object => String::new(),
    }
}

fn pieces(parts: &[Part], shown: &[Shown]) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Text(text) => Piece::Text(text.clone()),
        Part::Name(name, _) => {
            Piece::Value(shown.iter().position(|shown| shown.name == *name).expect("the check has let every name into the list"))
        }
    };
    parts.iter().map(piece).collect()
}
