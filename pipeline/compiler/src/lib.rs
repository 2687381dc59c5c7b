//! Rule files: YAML with CEL conditions, type-checked against the event contract and compiled to typed programs.
//!
//! * [`load`], [`load_some`], [`compile`]: files to a [`ruleset::Ruleset`], or a [`Report`] of every fault of every file.
//! * [`data`]: a YAML file that is no rule.
//! * [`ruleset`], [`expression`]: what they compile to; plain data that the engine plans and runs.
//! * [`eval`]: how programs run.
//! * [`schema`]: a rule file as documented types, and its JSON Schema for editors.
//! * [`mutate`]: what a rule might say instead, which its tests should notice.
//! * [`terms`]: where the terms of conditions stand, and what each comes to.
//!
//! From the inside: `folder` finds and reads files, `yaml` and `scalar` make a tree with places of one, `reader` takes it
//! apart key by key. `lower` makes a rule of it: `binding`, `aggregate` and `join` its `let`, `program` conditions and overrides,
//! `scenario` its tests. `cel` parses expressions, `typecheck`, `function` and `presence` type and lower them, `template` and `format`
//! do explanations. `looping` and `conversion` type lists and times, `library`, `items` and `rounds` run them, `catalogue`
//! lists what there is, `trial` takes an expression by itself. `list` and `shared` read what rules share; `lint` warns of what is
//! odd and no fault; `compile` puts all together. Nothing here knows a clock; only `folder` touches files.

mod aggregate;
mod arithmetic;
mod binding;
mod canonical;
pub mod catalogue;
mod cel;
mod compile;
mod conversion;
mod diagnostic;
pub mod eval;
pub mod expression;
mod folder;
mod format;
mod function;
pub mod gather;
mod graph;
mod guard;
mod hint;
pub mod items;
mod join;
mod key;
pub mod library;
mod lint;
mod list;
mod looping;
mod lower;
pub mod mutate;
mod names;
pub mod param;
mod presence;
mod program;
mod rates;
mod reader;
mod reads;
mod rounds;
pub mod ruleset;
mod scalar;
mod scenario;
pub mod schema;
mod severity;
mod shared;
mod steps;
mod template;
pub mod terms;
pub mod trial;
mod ty;
mod typecheck;
mod unused;
mod yaml;
pub mod zone;

pub use compile::{LoadError, SourceFile, compile, data, load, load_some, place_of};
pub use diagnostic::{Code, Diagnostic, Report};
pub use eval::is_hit;
pub use folder::{Look, is_rule_file};
pub use schema::rule_schema;
