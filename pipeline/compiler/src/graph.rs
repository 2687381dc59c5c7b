//! Bindings of what all keys are to each other: one state for all, read under a key of the current event, and near a list.

use std::sync::Arc;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::field::Privacy;
use rasid_detectors::operator::{Named, OfField, OperatorSpec};

use crate::aggregate::apart;
use crate::binding::{Lowering, Shape, binding_of, counted_types};
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::List;
use crate::key::kind_of;
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, Feed, KeyPart, Sides};
use crate::yaml::Node;

/// Addresses that a list may come to: each of its networks' is looked for.
const ADDRESSES_MAX: u128 = 1 << 20;

impl Lowering<'_> {
    /// A binding with one state for all keys that is read under one.
    pub(crate) fn graph(
        &mut self,
        (spec, named): (&'static OperatorSpec, &'static Named),
        types: &Node,
        mut map: MapReader<'_>,
    ) -> Option<(Binding, Shape)> {
        let counted = counted_types(types, spec.name, self.sources, self.broken, self.faults);
        let by = self.by(&mut map, counted.iter().map(|one| one.event));
        let window = map.required("window", self.faults);
        let near = named.near.and_then(|_| map.optional("near"));
        let (of, filter) = (map.if_there("of"), map.optional("where"));
        let own = crate::schema::own_properties(spec);
        map.finish_but(&own.keys().map(String::as_str).collect::<Vec<_>>(), self.faults);
        if let (Some(node), OfField::None { because, instead }) = (of, named.of) {
            let fault = Fault::new(Code::BadOf, node.span.clone(), format!("`{}` {because} and takes no `of`", spec.name));
            return self.fault(fault.help(instead));
        }
        if let Some(fault) = apart(spec, &counted, self.on, types) {
            return self.fault(fault);
        }
        let span = window.and_then(|node| self.span(node, None, spec));
        let filters = filter.map_or_else(|| Some(vec![None; counted.len()]), |node| self.filters(node, &counted));
        // What feeds it does so whoever is named; a key is what it is read under.
        let keys = by.and_then(|node| self.join(Some(node), None)).and_then(|join| self.keys(&join, &[], self.on));
        let list = near.map(|node| self.list(node));
        let operator = self.set_up(spec, &map, &types.span, span?, None)?;
        let (kinds, keys, filters) = (operator.kinds(), keys?, filters?);
        let is_known = |key: &[KeyPart]| matches!(key, [part] if kind_of(*part).is_some_and(|kind| kinds.contains(&kind)));
        if !keys.reads.iter().all(|(_, key)| is_known(key)) {
            let message = format!("`{}` is read under one key, of a kind that it knows", spec.name);
            let fault = Fault::new(Code::BadBinding, by.unwrap_or(types).span.clone(), message);
            return self.fault(fault.help(format!("those are {}", names(&kinds))));
        }
        let list = match (near, list) {
            (Some(node), Some(list)) => Some(self.near(node, list?, &kinds)?),
            _ => None,
        };
        if counted.is_empty() {
            return None;
        }
        let feeds = counted.into_iter().zip(filters).map(|(one, filter)| Feed {
            event: one.event,
            key: Vec::new(),
            firings_of: one.firings_of,
            filter,
            steps: Vec::new(),
            of: None,
            exchange: None,
            sides: Sides::default(),
        });
        let binding = binding_of(operator, feeds.collect(), self.sources);
        self.reads = keys.reads;
        Some((list.into_iter().fold(binding, Binding::near), Shape::Measure(spec, None, Privacy::Clear)))
    }

    /// The list that a binding names; `None` where that is told already, or here.
    fn list(&mut self, node: &Node) -> Option<Arc<List>> {
        let text = reader::text(node, "`near`", self.faults)?;
        let (name, lists) = (text.strip_prefix("list.").unwrap_or(text), &self.tables.lists);
        let Some(found) = lists.get(name) else {
            let fault = Fault::new(Code::UnknownList, node.span.clone(), format!("there is no list `{name}`"));
            let help = match suggest(name, lists.keys().map(String::as_str)) {
                meant if meant.starts_with("did") => meant,
                _ => format!("write it as lists/{name}.yaml, with a `kind` that is linked"),
            };
            return self.fault(fault.help(help));
        };
        found.clone()
    }

    /// The same, where its entries may be met.
    fn near(&mut self, node: &Node, list: Arc<List>, kinds: &[EntityKind]) -> Option<Arc<List>> {
        if list.kind.is_none_or(|kind| !kinds.contains(&kind)) {
            let kind = list.kind.map_or("text", EntityKind::name);
            let fault = Fault::new(Code::WrongList, node.span.clone(), format!("`list.{}` holds the kind `{kind}`", list.name));
            return self.fault(fault.help(format!("nothing of that kind is linked: name a list of one of {}", names(kinds))));
        }
        let addresses = list.addresses();
        if addresses > ADDRESSES_MAX {
            let message = format!("the networks of `list.{}` have more than {ADDRESSES_MAX} addresses", list.name);
            let fault = Fault::new(Code::TooMuch, node.span.clone(), message);
            return self.fault(fault.help("list the addresses that are meant, or smaller networks"));
        }
        Some(list)
    }
}

impl Binding {
    /// The same, near the entries of a list.
    fn near(mut self, list: Arc<List>) -> Self {
        for text in [&mut self.canonical, &mut self.former] {
            text.push_str(" near=");
            text.push_str(&list.name);
        }
        Self { near: Some(list), ..self }
    }
}

fn names(kinds: &[EntityKind]) -> String {
    listed(kinds.iter().map(|kind| kind.name()))
}
