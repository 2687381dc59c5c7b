//! `rasid reference`: what is declared in the program, for the pages that `cargo xtask pages` makes of it.

use clap::CommandFactory as _;
use rasid_compiler::Code;
use rasid_compiler::catalogue::{Documented, FUNCTIONS, LOOPS, REFUSED, REFUSED_FORMS, limits};
use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{Elements, FieldSpec, FieldType, Privacy};
use rasid_detectors::operator::{OPERATORS, OperatorSpec, Yields};
use rasid_detectors::signal::SignalType;
use rasid_service::operate::control::{Question, Visitor, Way, each};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::{Command, Failure, print_json};
use crate::http;
use crate::metrics::grafana;
use rasid_connectors::tokens::Scope;

/// Print what is declared in the program, as JSON: commands, paths that are served, questions of the control socket, event types, kinds of entity
#[derive(clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {}

impl Command for Args {
    fn run(&self) -> Result<(), Failure> {
        let endpoints = http::endpoints().map(|of| described(of.method, of.path, of.about));
        let operations = http::operations().into_iter().map(|of| {
            let method = if of.way == Way::Get { "GET" } else { "POST" };
            json!({"method": method, "path": of.path, "about": of.about.trim(), "scope": of.scope.map_or("any", Scope::name)})
        });
        let mut questions = Questions(Vec::new());
        each(&mut questions);
        let dashboards: serde_json::Map<String, Value> =
            grafana::dashboards().iter().map(|dashboard| (dashboard.name.to_owned(), dashboard.json())).collect();
        let kinds = EntityKind::ALL.map(EntityKind::name);
        print_json(&json!({
            "commands": commands(), "endpoints": endpoints.collect::<Vec<_>>(), "operations": operations.collect::<Vec<_>>(), "questions": questions.0, "dashboards": dashboards, "events": events(), "kinds": kinds,
            "functions": documented(FUNCTIONS), "loops": documented(LOOPS), "limits": limits(), "refused": REFUSED,
            "refused_forms": REFUSED_FORMS, "signals": signals(), "codes": codes(),
        }))
    }
}

/// The functions or loops of the rule language.
fn documented(known: &[Documented]) -> Vec<Value> {
    known.iter().map(|known| json!({"forms": known.forms, "about": known.about, "examples": known.examples})).collect()
}

/// The faults and warnings of rules.
fn codes() -> Vec<Value> {
    let of = |code: &Code| json!({"code": code.as_str(), "about": code.means(), "warning": code.is_warning()});
    Code::ALL.iter().map(of).collect()
}

fn described(method: &str, path: &str, about: &str) -> Value {
    json!({"method": method.to_uppercase(), "path": path, "about": about.trim()})
}

struct Questions(Vec<Value>);

impl Visitor for Questions {
    fn question<Q: Question>(&mut self) {
        let method = match Q::WAY {
            Way::Get => "get",
            Way::Post => "post",
        };
        self.0.push(described(method, Q::PATH, Q::ABOUT));
    }
}

/// What fires: the fields of each one's signal, by its name.
fn signals() -> Value {
    let types = |ty: SignalType| match ty {
        SignalType::Int => "int",
        SignalType::Double { .. } => "double",
        SignalType::Text => "string",
        SignalType::Bool => "bool",
        SignalType::OfField => "that of the field",
    };
    let of = |spec: &OperatorSpec| {
        let fields = spec.fields().iter().map(|field| json!({"name": field.name, "type": types(field.ty), "about": field.doc}));
        (spec.name.to_owned(), Value::from(fields.collect::<Vec<_>>()))
    };
    OPERATORS.iter().filter(|spec| matches!(spec.yields, Yields::Signal(_))).map(of).collect::<serde_json::Map<_, _>>().into()
}

/// Every event type: what it is, and of each field what it is, what a rule sees and may count by, and whether it leaves as it is.
fn events() -> Vec<Value> {
    EventType::ALL.iter().map(|event_type| event(*event_type)).collect()
}

fn event(event_type: EventType) -> Value {
    let mut generator = SchemaGenerator::default();
    let reference = Value::from(event_type.schema(&mut generator));
    let definitions = generator.take_definitions(true);
    let name = reference.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
    let schema = definitions.get(name).unwrap_or(&Value::Null);
    let required =
        |field: &str| schema.get("required").and_then(Value::as_array).is_some_and(|required| required.iter().any(|name| name == field));
    let fields = event_type.fields().iter().map(|field| {
        let about = schema.pointer(&format!("/properties/{}/description", field.name)).and_then(Value::as_str).unwrap_or_default();
        json!({
            "name": field.name,
            "about": about,
            "required": required(field.name),
            "type": type_of(field),
            "kinds": field.entities.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
            "leaves": leaves(field.privacy),
        })
    });
    json!({"name": event_type.name(), "about": schema.get("description"), "fields": fields.collect::<Vec<_>>()})
}

/// The type that a rule sees; of an object its fields, of a list what its elements are.
fn type_of(field: &FieldSpec) -> String {
    let fields =
        |fields: &[FieldSpec]| fields.iter().map(|field| format!("{}: {}", field.name, type_of(field))).collect::<Vec<_>>().join(", ");
    match field.ty {
        FieldType::Bool => "bool".to_owned(),
        FieldType::Int => "int".to_owned(),
        FieldType::Double => "double".to_owned(),
        FieldType::String => "string".to_owned(),
        FieldType::Enum(words) => words.join(", "),
        FieldType::Time => "timestamp".to_owned(),
        FieldType::Object => format!("{{{}}}", fields(field.children)),
        FieldType::List => match field.elements {
            Elements::Objects(of) => format!("list of {{{}}}", fields(of)),
            Elements::Points => "list of [latitude, longitude]".to_owned(),
            Elements::None => "list".to_owned(),
        },
    }
}

fn leaves(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Clear | Privacy::Opaque(_) => "",
        Privacy::Pseudonym(_) => "as a pseudonym",
        Privacy::Hidden => "never",
    }
}

/// Width of a help text on a page, characters.
const WIDTH: usize = 110;

/// Every command that is not hidden, and every one below it: its name, and its help as the program prints it.
fn commands() -> Vec<Value> {
    let mut found = Vec::new();
    below(&mut crate::Cli::command().term_width(WIDTH), &mut found);
    found
}

fn below(command: &mut clap::Command, found: &mut Vec<Value>) {
    command.build();
    for command in command.get_subcommands_mut().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let leaf = !command.has_subcommands();
        let name = command.get_bin_name().unwrap_or_default().to_owned();
        found.push(json!({"name": name, "about": command.get_about().map(ToString::to_string), "leaf": leaf, "help": command.render_long_help().to_string()}));
        below(command, found);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_says_what_it_does_in_words_of_its_own_and_shows_an_example() {
        let commands = commands();
        assert!(commands.len() > 20, "{}", commands.len());
        let mut abouts = BTreeSet::new();
        for command in &commands {
            let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
            let (name, about) = (text("name"), text("about"));
            assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about}");
            assert!(abouts.insert(about), "{name} says what another says: a flattened struct has a doc comment?");
            if command["leaf"] == true {
                let example = text("help").lines().any(|line| line.trim_start().starts_with(&name) || line.contains(&format!(" {name} ")));
                assert!(example, "{name} shows no example of itself");
            }
        }
    }
}
