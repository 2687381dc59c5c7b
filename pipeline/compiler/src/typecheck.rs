//! CEL's syntax tree into a typed program for one event type.
//!
//! The subset behaves as CEL does; what is outside it is refused with a name, never run approximately. Every fault of
//! an expression is found in one pass: a part with a fault has no type, and nothing more is said about what holds it.

use cel::common::ast::{CallExpr, Expr as Ast, IdedExpr, LiteralValue, SelectExpr};
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath, FieldSpec};
use rasid_detectors::value::OwnedValue;

use crate::binding::{called, measured, named_of};
use crate::cel::Source;
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::{Arithmetic, Comparison, Expr, Function};
use crate::hint;
use crate::names::{Bound, Mentions, Names, Param};
use crate::presence::Facts;
use crate::ty::{self, Element, Ty};

/// A program and its type.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Ty,
}

impl Typed {
    #[expect(clippy::unnecessary_wraps, reason = "every check ends in it or in a fault, which is None")]
    pub(crate) fn new(expr: Expr, ty: Ty) -> Option<Self> {
        Some(Self { expr, ty })
    }
}

/// Checks one expression against one event type.
pub(crate) struct Checker<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) event: EventType,
    pub(crate) names: &'a Names<'a>,
    pub(crate) mentions: &'a mut Mentions,
    pub(crate) faults: &'a mut Vec<Fault>,
    /// The variables of the loops around, outermost first.
    pub(crate) locals: Vec<(String, Ty)>,
}

impl<'a> Checker<'a> {
    /// The program of the whole expression, which must be a condition.
    pub(crate) fn condition(mut self) -> Option<Expr> {
        let source = self.source;
        let typed = self.check(&source.root, &Facts::new())?;
        if typed.ty == Ty::Bool {
            return Some(typed.expr);
        }
        let message = format!("a condition of type {}, expected bool", typed.ty.name());
        self.fault(Fault::new(Code::TypeMismatch, source.span(&source.root), message).help("compare it with something: sends > 5"))
    }

    pub(crate) fn fault<T>(&mut self, fault: Fault) -> Option<T> {
        self.faults.push(fault);
        None
    }

    pub(crate) fn at(&self, code: Code, node: &IdedExpr, message: impl Into<String>) -> Fault {
        Fault::new(code, self.source.span(node), message)
    }

    pub(crate) fn check(&mut self, node: &IdedExpr, facts: &Facts) -> Option<Typed> {
        match &node.expr {
            Ast::Literal(literal) => self.literal(node, literal),
            Ast::Ident(name) => self.ident(node, name),
            Ast::Select(select) if select.test => self.has(node, select, facts),
            Ast::Select(select) if self.is_element(&select.operand) => self.part(node, select, facts),
            Ast::Select(_) => self.select(node, facts),
            Ast::Call(call) => self.call(node, call, facts),
            Ast::List(list) => self.written_list(node, list, facts),
            Ast::Map(_) => self.outside(node, "a map", "conditions take no maps"),
            Ast::Struct(_) => self.outside(node, "a message", "conditions take no messages"),
            Ast::Comprehension(repeat) => self.repeat(node, repeat, facts),
            Ast::Unspecified => self.outside(node, "this", "conditions are CEL (https://cel.dev)"),
        }
    }

    pub(crate) fn outside<T>(&mut self, node: &IdedExpr, what: &str, help: impl Into<String>) -> Option<T> {
        let fault = self.at(Code::NotInSubset, node, format!("{what} is not in the subset of CEL that rules take"));
        self.fault(fault.help(help))
    }

    fn literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(value) => Typed::new(Expr::Const(OwnedValue::Bool(**value)), Ty::Bool),
            LiteralValue::Int(value) => Typed::new(Expr::Const(OwnedValue::Int(**value)), Ty::Int),
            LiteralValue::Double(value) => Typed::new(Expr::Const(OwnedValue::Double(**value)), Ty::Double),
            LiteralValue::String(value) => Typed::new(Expr::Const(OwnedValue::Str(value.inner().into())), Ty::Text(None)),
            LiteralValue::UInt(_) => self.outside(node, "an unsigned number", "write the number without `u`"),
            LiteralValue::Bytes(_) => self.outside(node, "a bytes literal", "write the text without `b`"),
            LiteralValue::Null => self.outside(node, "null", "whether a field is there is has(data.field)"),
        }
    }

    fn ident(&mut self, node: &IdedExpr, name: &str) -> Option<Typed> {
        if let Some(local) = self.local(name) {
            return Some(local);
        }
        match name {
            "data" => return self.outside(node, "`data` by itself", "name one of its fields: data.user_id"),
            "params" => return self.outside(node, "`params` by itself", "name one of them: params.sends_max"),
            "values" => {
                return self.outside(node, "`values` by itself", "a binding is its name; whether it has a value is has(values.name)");
            }
            "list" => return self.outside(node, "`list` by itself", "lists stand to the right of `in`: data.phone in list.trusted_phones"),
            "zone" => return self.outside(node, "`zone` by itself", "zones stand to the right of `in`: place in zone.cairo_airport"),
            "time" => return Typed::new(Expr::Time, Ty::Time),
            "score" => return self.score(node),
            _ => {}
        }
        let (index, bound) = self.named(node, name)?;
        match bound {
            Bound::Aggregate { read, ty, .. } => {
                self.mentions.lets.insert(index);
                Typed::new(Expr::Binding(*read), *ty)
            }
            Bound::Measure { read, spec, of, .. } => {
                self.mentions.lets.insert(index);
                Typed::new(Expr::Binding(*read), measured(spec, *of, 0)?)
            }
            Bound::Signal { spec, .. } => {
                self.mentions.lets.insert(index);
                let fault = self.at(Code::TypeMismatch, node, format!("{}, is no value", called(name, spec)));
                self.fault(fault.help(named_of(name, spec)))
            }
        }
    }

    /// What `let` binds to a name. Of a binding that has a fault of its own, enough is said there.
    pub(crate) fn named(&mut self, node: &IdedExpr, name: &str) -> Option<(usize, &'a Bound)> {
        let names = self.names;
        if let Some(found) = names.find(name) {
            return found.1.map(|bound| (found.0, bound));
        }
        if let Some(key) = names.event_only {
            let fault = self.at(Code::WhereReadsMore, node, format!("`{key}` cannot read `{name}`"));
            let meant = field::find(self.event.fields(), name).map(|_| format!("did you mean `data.{name}`?"));
            return self.fault(fault.help(meant.unwrap_or_else(|| event_only(key).to_owned())));
        }
        if names.unsure {
            return None;
        }
        let fault = self.at(Code::UnknownName, node, format!("there is no `{name}`"));
        let field = field::find(self.event.fields(), name).map(|_| format!("data.{name}"));
        let param = names.param(name).map(|_| format!("params.{name}"));
        let help = match field.or(param) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => suggest(name, names.lets.iter().map(|(name, _)| name.as_str()).chain(["data", "params", "list", "time"])),
        };
        self.fault(fault.help(help))
    }

    fn select(&mut self, node: &IdedExpr, facts: &Facts) -> Option<Typed> {
        let path = dotted(node);
        match path.as_deref() {
            Some(["data", name @ ..]) => {
                let name = name.join(".");
                let (path, spec) = self.field(node, &name)?;
                self.guarded(node, path, facts)?;
                self.mentions.field(path, &name);
                if let Some(ty) = Ty::of_elements(spec.elements) {
                    return Typed::new(Expr::Elements(path), ty);
                }
                let Some(ty) = Ty::of_field(spec.ty) else {
                    let inside = spec.children.iter().map(|child| format!("data.{name}.{}", child.name)).collect::<Vec<_>>();
                    let help = if inside.is_empty() {
                        "conditions cannot look inside it".to_owned()
                    } else {
                        format!("name one of {}", listed(inside.iter().map(String::as_str)))
                    };
                    let fault = self.at(Code::TypeMismatch, node, format!("`data.{name}` is no scalar"));
                    return self.fault(fault.help(help));
                };
                Typed::new(Expr::Field(path), ty)
            }
            Some(["params", name]) => match self.param(node, name)? {
                Param::Scalar(value) => Typed::new(Expr::Const(value.clone()), Ty::of_value(value)),
                Param::List(values) => {
                    let element =
                        values.iter().filter_map(|value| Ty::of_value(value).element()).reduce(|a, b| a.join(b).unwrap_or(Element::Dyn));
                    let values = values.iter().cloned().map(Expr::Const).collect();
                    Typed::new(Expr::List(values), Ty::List(element.unwrap_or(Element::Nothing)))
                }
            },
            Some(["list", name]) => {
                self.outside(node, "a list by itself", format!("lists stand to the right of `in`: data.phone in list.{name}"))
            }
            Some(["zone", name]) => {
                self.outside(node, "a zone by itself", format!("zones stand to the right of `in`: place in zone.{name}"))
            }
            Some(["values", name]) => {
                self.outside(node, "this way to reach a value", format!("write {name}; whether it has one is has(values.{name})"))
            }
            Some(["event", rest @ ..]) if self.names.find("event").is_none() => {
                let help = hint::of_event(rest, self.event);
                self.outside(node, "`event`", help)
            }
            Some(["time", _]) => self.outside(
                node,
                "a field of `time`",
                "it is a timestamp: write time.getHours(\"Africa/Cairo\"), time.getDayOfWeek(\"Africa/Cairo\")",
            ),
            Some([name, field]) => self.signal(node, name, field),
            _ => {
                self.outside(node, "this way to reach a field", "fields are data.field, data.object.field, params.name and detector.field")
            }
        }
    }

    /// A field of the vocabulary.
    fn field(&mut self, node: &IdedExpr, name: &str) -> Option<(FieldPath, &'static FieldSpec)> {
        let fields = self.event.fields();
        if let Some(found) = field::find(fields, name) {
            return Some(found);
        }
        let (outer, inner) = name.split_once('.').unwrap_or((name, ""));
        let help = match field::find(fields, outer) {
            Some((_, spec)) => suggest(inner, spec.children.iter().map(|child| child.name)),
            None => match suggest(outer, fields.iter().map(|field| field.name)) {
                meant if meant.starts_with("did") => meant,
                others => match with_field(name) {
                    Some(types) => format!("{types}: what looks at several types names what each of them has, so make one for each"),
                    None if self.event.is_alert() => others,
                    None => format!("{others}; a field outside the contract is data[\"{outer}\"]"),
                },
            },
        };
        let fault = self.at(Code::UnknownField, node, format!("{} has no field `{name}`", self.event.name()));
        self.fault(fault.help(help))
    }

    pub(crate) fn param(&mut self, node: &IdedExpr, name: &str) -> Option<&'a Param> {
        let names = self.names;
        if let Some(key) = names.event_only.filter(|key| *key != "where") {
            let fault = self.at(Code::WhereReadsMore, node, format!("`{key}` cannot read `params.{name}`"));
            return self.fault(fault.help(event_only(key)));
        }
        if let Some((index, param)) = names.param(name) {
            self.mentions.params.insert(index);
            return Some(param);
        }
        let fault = self.at(Code::UnknownParameter, node, format!("the rule has no parameter `{name}`"));
        self.fault(fault.help(hint::param(name, names.params.iter().map(|(name, _)| name.as_str()))))
    }

    fn signal(&mut self, node: &IdedExpr, name: &str, field: &str) -> Option<Typed> {
        let (index, bound) = self.named(node, name)?;
        let (read, spec, of) = match bound {
            Bound::Aggregate { .. } => {
                self.mentions.lets.insert(index);
                let fault = self.at(Code::UnknownField, node, format!("`{name}` is a value and has no field `{field}`"));
                return self.fault(fault.help(format!("write {name}")));
            }
            Bound::Measure { read, spec, of, .. } => (*read, *spec, *of),
            Bound::Signal { read, spec } => (*read, *spec, None),
        };
        self.mentions.lets.insert(index);
        if field == "fired" && spec.yields.fires() {
            return Typed::new(Expr::Fired(read), Ty::Bool);
        }
        let Some(position) = spec.fields().iter().position(|known| known.name == field) else {
            let fault = self.at(Code::UnknownField, node, format!("{}, has no field `{field}`", called(name, spec)));
            let fired = spec.yields.fires().then_some("fired");
            return self.fault(fault.help(suggest(field, spec.fields().iter().map(|known| known.name).chain(fired))));
        };
        Typed::new(Expr::Signal(read, position), measured(spec, of, position)?)
    }

    fn has(&mut self, node: &IdedExpr, select: &SelectExpr, facts: &Facts) -> Option<Typed> {
        if self.is_element(&select.operand) {
            return self.part(node, select, facts);
        }
        let outer = dotted(&select.operand);
        let name = match outer.as_deref() {
            Some(["data"]) => select.field.clone(),
            Some(["data", object]) => format!("{object}.{}", select.field),
            Some(["values"]) => return self.has_value(node, &select.field),
            _ => {
                return self.outside(
                    node,
                    "has() of anything but a field or a value",
                    "write has(data.field), or has(values.name) of a binding; whether a detector fired is name.fired",
                );
            }
        };
        let (path, _) = self.field(node, &name)?;
        if path.child.is_some() {
            // CEL reads the object on the way, so the object must be there.
            self.guarded(&select.operand, FieldPath { field: path.field, child: None }, facts)?;
        }
        self.mentions.field(path, &name);
        Typed::new(Expr::Has(path), Ty::Bool)
    }

    /// `score`.
    pub(crate) fn score(&mut self, node: &IdedExpr) -> Option<Typed> {
        if let Some(key) = self.names.event_only {
            let fault = self.at(Code::WhereReadsMore, node, format!("`{key}` cannot read `score`"));
            return self.fault(fault.help(event_only(key)));
        }
        if let Some(kind) = self.names.scoreless {
            let fault = self.at(Code::TypeMismatch, node, format!("the rule is about `{}`, which has no score", kind.name()));
            return self.fault(fault.help("`score` is that of the rule's own entity: a user, a phone, a device"));
        }
        self.mentions.score = true;
        Typed::new(Expr::Score, Ty::Int)
    }

    /// `has(values.name)`.
    fn has_value(&mut self, node: &IdedExpr, name: &str) -> Option<Typed> {
        let (index, bound) = self.named(node, name)?;
        self.mentions.lets.insert(index);
        match bound {
            Bound::Aggregate { read, .. } | Bound::Measure { read, .. } => Typed::new(Expr::HasBinding(*read), Ty::Bool),
            Bound::Signal { spec, .. } => {
                let fault = self.at(Code::TypeMismatch, node, format!("{}, is no value", called(name, spec)));
                self.fault(fault.help(named_of(name, spec)))
            }
        }
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr, facts: &Facts) -> Option<Typed> {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            ("_&&_" | "_||_", None, [left, right]) => {
                let both = name == "_&&_";
                let typed = self.boolean(left, facts);
                let known = self.knowing(left, both, facts);
                let other = self.boolean(right, &known);
                let (left, right) = (Box::new(typed?), Box::new(other?));
                Typed::new(if both { Expr::And(left, right) } else { Expr::Or(left, right) }, Ty::Bool)
            }
            ("!_", None, [inner]) => Typed::new(Expr::Not(Box::new(self.boolean(inner, facts)?)), Ty::Bool),
            ("-_", None, [inner]) => {
                let typed = self.check(inner, facts)?;
                if !typed.ty.is_number() {
                    return self.mismatch(node, "-", &[typed.ty], "`-` takes an int or a double");
                }
                Typed::new(Expr::Negate(Box::new(typed.expr)), typed.ty)
            }
            ("_?_:_", None, [condition, yes, no]) => {
                let test = self.boolean(condition, facts);
                let known = self.knowing(condition, true, facts);
                let first = self.check(yes, &known);
                let known = self.knowing(condition, false, facts);
                let second = self.check(no, &known);
                let (test, first, second) = (test?, first?, second?);
                let Some(ty) = first.ty.join(second.ty) else {
                    return self.mismatch(node, "? :", &[first.ty, second.ty], "both results are of one type");
                };
                Typed::new(Expr::Conditional(Box::new(test), Box::new(first.expr), Box::new(second.expr)), ty)
            }
            ("@in", None, [item, list]) => self.member(node, item, list, facts),
            ("_[_]", None, [map, key]) if dotted(map).as_deref() == Some(&["data"]) => self.unknown(node, key),
            ("_[_]", None, [list, index]) => self.index(node, list, index, facts),
            (_, None, [left, right]) if ty::comparison_named(name).is_some() => {
                self.compare(node, ty::comparison_named(name)?, left, right, facts)
            }
            (_, None, [left, right]) if ty::arithmetic_named(name).is_some() => {
                let (operation, sign) = ty::arithmetic_named(name)?;
                let (left, right) = (self.check(left, facts), self.check(right, facts));
                let (left, right) = (left?, right?);
                let Some(ty) = ty::arithmetic(operation, left.ty, right.ty) else {
                    return self.mismatch(node, sign, &[left.ty, right.ty], ty::arithmetic_help(left.ty, right.ty));
                };
                let is_open = left.ty == Ty::Dyn && right.ty == Ty::Dyn;
                let function = match (operation, ty) {
                    (Arithmetic::Add, Ty::Text(_)) => Function::Concat,
                    (Arithmetic::Add, Ty::List(_)) => Function::Append,
                    _ => {
                        let sum = Expr::Arithmetic(operation, Box::new(left.expr), Box::new(right.expr));
                        let is_open = is_open && operation == Arithmetic::Add;
                        return Typed::new(if is_open { Expr::Call(Function::Add, vec![sum]) } else { sum }, ty);
                    }
                };
                Typed::new(Expr::Call(function, vec![left.expr, right.expr]), ty)
            }
            _ => self.function(node, call, facts),
        }
    }

    pub(crate) fn boolean(&mut self, node: &IdedExpr, facts: &Facts) -> Option<Expr> {
        let typed = self.check(node, facts)?;
        if typed.ty.is(Ty::Bool) {
            return Some(typed.expr);
        }
        let fault = self.at(Code::TypeMismatch, node, format!("found {}, expected bool", typed.ty.name()));
        self.fault(fault.help("`&&`, `||`, `!` and `?` take conditions: sends > 5"))
    }

    pub(crate) fn mismatch<T>(&mut self, node: &IdedExpr, operator: &str, types: &[Ty], help: impl Into<String>) -> Option<T> {
        let types = types.iter().map(|ty| ty.name()).collect::<Vec<_>>().join(" and ");
        let fault = self.at(Code::TypeMismatch, node, format!("`{operator}` does not take {types}"));
        self.fault(fault.help(help))
    }

    fn compare(
        &mut self,
        node: &IdedExpr,
        (comparison, sign): (Comparison, &str),
        left: &IdedExpr,
        right: &IdedExpr,
        facts: &Facts,
    ) -> Option<Typed> {
        let (first, second) = (self.check(left, facts), self.check(right, facts));
        let (first, second) = (first?, second?);
        if let (Ty::List(one), Ty::List(other), Comparison::Equal | Comparison::NotEqual) = (first.ty, second.ty, comparison)
            && one.ty().is_scalar()
            && one.join(other).is_some()
        {
            let same = Expr::Call(Function::Same, vec![first.expr, second.expr]);
            return Typed::new(if comparison == Comparison::Equal { same } else { Expr::Not(Box::new(same)) }, Ty::Bool);
        }
        if !first.ty.compares_with(second.ty) {
            let types = [first.ty, second.ty];
            let help = match types {
                [Ty::Duration, _] | [_, Ty::Duration] => "a span of time is written duration(\"24h\"), in hours, minutes and seconds",
                [Ty::Time, _] | [_, Ty::Time] => "an instant is written timestamp(\"2026-01-01T00:00:00Z\")",
                _ => "compare values of one type; int and double compare by value",
            };
            return self.mismatch(node, sign, &types, help);
        }
        if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            self.word(right, first.ty, &second.expr)?;
            self.word(left, second.ty, &first.expr)?;
        }
        Typed::new(Expr::Compare(comparison, Box::new(first.expr), Box::new(second.expr)), Ty::Bool)
    }

    /// Refuses a word that a field of a fixed set of words never holds.
    pub(crate) fn word(&mut self, node: &IdedExpr, ty: Ty, value: &Expr) -> Option<()> {
        match (ty, value) {
            (Ty::Text(Some(words)), Expr::Const(OwnedValue::Str(word))) if !words.contains(&word.as_ref()) => {
                let fault = self.at(Code::NeverThatWord, node, format!("the field is never `{word}`"));
                self.fault(fault.help(suggest(word, words.iter().copied())))
            }
            _ => Some(()),
        }
    }
}

/// Why a key sees the event alone.
fn event_only(key: &str) -> &'static str {
    match key {
        "where" => {
            "`where` reads the event's own fields (data.field), `time`, parameters, lists and, of firings, the signal's fields: what a binding counts must not change with other bindings; put the test into `when`"
        }
        _ => {
            "`if` reads only the event's own fields (data.field), `time` and lists: it says which parameters hold before bindings are compared with them"
        }
    }
}

/// `a.b.c` as its names; `None` for anything else.
pub(crate) fn dotted(node: &IdedExpr) -> Option<Vec<&str>> {
    match &node.expr {
        Ast::Ident(name) => Some(vec![name]),
        Ast::Select(select) if !select.test => {
            let mut names = dotted(&select.operand)?;
            names.push(&select.field);
            Some(names)
        }
        _ => None,
    }
}
/// Which event types have a field of that name; `None`: none has.
fn with_field(name: &str) -> Option<String> {
    let have = |event: &&EventType| field::find(event.fields(), name).is_some();
    let types: Vec<&str> = EventType::ALL.iter().filter(have).map(|event| event.name()).collect();
    match types.as_slice() {
        [] => None,
        [only] => Some(format!("{only} has it")),
        [one, other] => Some(format!("{one} and {other} have it")),
        [first, rest @ ..] => Some(format!("{first} and {} others have it", rest.len())),
    }
}
