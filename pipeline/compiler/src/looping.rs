//! Lists in conditions: literals, indices, fields of elements, and the loops over them.

use cel::common::ast::{ComprehensionExpr, Expr as Ast, IdedExpr, ListExpr, LiteralValue, SelectExpr};
use rasid_detectors::event::field;

use crate::cel::nodes;
use crate::diagnostic::{Code, suggest};
use crate::expression::{Expr, Loop, LoopKind};
use crate::presence::Facts;
use crate::ty::{Element, Fields, Ty};
use crate::typecheck::{Checker, Typed, dotted};

/// What a loop says, as it was before the parser wrote it out.
struct Written<'a> {
    kind: LoopKind,
    body: &'a IdedExpr,
    keep: Option<&'a IdedExpr>,
}

impl Checker<'_> {
    /// A loop's variable.
    pub(crate) fn local(&self, name: &str) -> Option<Typed> {
        let slot = self.locals.iter().rposition(|(local, _)| local == name)?;
        let (_, ty) = self.locals.get(slot)?;
        Some(Typed { expr: Expr::Item(u8::try_from(slot).ok()?), ty: *ty })
    }

    /// `[a, b]`.
    pub(crate) fn written_list(&mut self, node: &IdedExpr, list: &ListExpr, facts: &Facts) -> Option<Typed> {
        if !list.optional_indices.is_empty() {
            return self.outside(node, "an optional element", "write the list without `?`");
        }
        let parts: Vec<Option<Typed>> = list.elements.iter().map(|part| self.check(part, facts)).collect();
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        let mut element = Element::Nothing;
        for part in &parts {
            if !part.ty.is_scalar() {
                let what = if matches!(part.ty, Ty::List(_)) { "a list of lists" } else { "a list of objects that is written out" };
                return self.outside(node, what, "lists hold text, numbers, true and false, timestamps and durations");
            }
            element = part.ty.element().and_then(|other| element.join(other)).unwrap_or(Element::Dyn);
        }
        Typed::new(Expr::List(parts.into_iter().map(|part| part.expr).collect()), Ty::List(element))
    }

    /// What must be a list, and what it holds.
    pub(crate) fn list(&mut self, node: &IdedExpr, what: &str, facts: &Facts) -> Option<(Expr, Element)> {
        let typed = self.check(node, facts)?;
        match typed.ty {
            Ty::List(element) => Some((typed.expr, element)),
            Ty::Dyn => Some((typed.expr, Element::Dyn)),
            ty => self.mismatch(node, what, &[ty], "it takes a list: [1, 2], params.name, data.lines, text.split(\",\")"),
        }
    }

    /// Whether a field is asked of an element of a list, not of one of the roots.
    pub(crate) fn is_element(&self, operand: &IdedExpr) -> bool {
        match &operand.expr {
            Ast::Ident(name) => self.local(name).is_some(),
            Ast::Call(call) => call.func_name == "_[_]",
            _ => false,
        }
    }

    /// `line.amount`, `data.lines[0].amount`, `has(line.currency)`.
    pub(crate) fn part(&mut self, node: &IdedExpr, select: &SelectExpr, facts: &Facts) -> Option<Typed> {
        let typed = self.check(&select.operand, facts)?;
        let Ty::Entry(Fields(fields)) = typed.ty else {
            let fault = self.at(Code::TypeMismatch, node, format!("{} has no fields", typed.ty.name()));
            let help = if typed.ty == Ty::Point {
                "of a point, [0] is the latitude and [1] the longitude"
            } else {
                "only the elements of data.lines have"
            };
            return self.fault(fault.help(help));
        };
        let Some(place) = fields.iter().position(|field| field.name == select.field) else {
            let fault = self.at(Code::UnknownField, node, format!("an element of this list has no field `{}`", select.field));
            return self.fault(fault.help(suggest(&select.field, fields.iter().map(|field| field.name))));
        };
        let index = u8::try_from(place).ok()?;
        if select.test {
            return Typed::new(Expr::HasPart(Box::new(typed.expr), index), Ty::Bool);
        }
        Typed::new(Expr::Part(Box::new(typed.expr), index), Ty::of_field(fields.get(place)?.ty)?)
    }

    /// `list[index]`.
    pub(crate) fn index(&mut self, node: &IdedExpr, list: &IdedExpr, index: &IdedExpr, facts: &Facts) -> Option<Typed> {
        if matches!(&list.expr, Ast::Map(_)) {
            return self.outside(node, "a map", "conditions take no maps");
        }
        let typed = self.check(list, facts);
        let place = self.check(index, facts);
        let (typed, place) = (typed?, place?);
        if typed.ty == Ty::Point {
            return match &index.expr {
                Ast::Literal(LiteralValue::Int(place)) if (0..2).contains(&**place) => {
                    Typed::new(Expr::Part(Box::new(typed.expr), u8::from(**place == 1)), Ty::Double)
                }
                _ => self.outside(index, "this index of a point", "[0] is its latitude and [1] its longitude"),
            };
        }
        let element = match typed.ty {
            Ty::List(element) => element,
            Ty::Dyn => Element::Dyn,
            ty => return self.mismatch(node, "[ ]", &[ty], "lists have an index; a text has text.charAt(0)"),
        };
        if !place.ty.is(Ty::Int) {
            return self.mismatch(index, "[ ]", &[place.ty], "an index is a whole number from 0");
        }
        Typed::new(Expr::At(Box::new(typed.expr), Box::new(place.expr)), element.ty())
    }

    /// `list.all(x, …)` and its kin.
    pub(crate) fn repeat(&mut self, node: &IdedExpr, repeat: &ComprehensionExpr, facts: &Facts) -> Option<Typed> {
        let Some(Written { kind, body, keep }) = written(repeat) else {
            return self.outside(node, "this loop", "the loops are all, exists, exists_one, filter and map");
        };
        let (list, element) = self.list(&repeat.iter_range, "a loop", facts)?;
        if matches!(repeat.iter_var.as_str(), "data" | "params" | "list" | "time") {
            let what = format!("`{}` as the variable of a loop", repeat.iter_var);
            return self.outside(node, &what, "give it a name of its own: x");
        }
        let Some(slot) = u8::try_from(self.locals.len()).ok() else { return self.outside(node, "a loop so deep", "nest fewer") };
        self.locals.push((repeat.iter_var.clone(), element.ty()));
        let keep = keep.map(|keep| self.boolean(keep, facts));
        let inside = if kind == LoopKind::Map {
            self.check(body, facts)
        } else {
            self.boolean(body, facts).map(|expr| Typed { expr, ty: Ty::Bool })
        };
        self.locals.pop();
        let (keep, inside) = (keep.map_or(Some(None), |keep| keep.map(Some))?, inside?);
        let ty = match kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Ty::Bool,
            LoopKind::Filter => Ty::List(element),
            LoopKind::Map => match inside.ty.element().filter(|_| inside.ty.is_scalar()) {
                Some(element) => Ty::List(element),
                None => {
                    return self.outside(
                        body,
                        &format!("a map that makes {}s", inside.ty.name()),
                        "make text, numbers, or true and false of each",
                    );
                }
            },
        };
        let cost = u32::try_from(1 + nodes(&repeat.loop_step)).unwrap_or(u32::MAX);
        Typed::new(Expr::Loop(Box::new(Loop { kind, slot, list, body: inside.expr, keep, cost })), ty)
    }

    /// A place as its latitude and longitude: `place`, `data.location`, `data` itself where that has them, a point of a list,
    /// `[30.0, 31.2]`. `asked`: what wants it.
    pub(crate) fn place(&mut self, node: &IdedExpr, asked: &str, facts: &Facts) -> Option<[Expr; 2]> {
        const HELP: &str = "a place is `place`, data.location, a point of data.points, or [latitude, longitude] in degrees: [30.04, 31.24]";
        let known = |name: &String| field::find(self.event.fields(), name).is_some();
        let of = |object: &str| [format!("{object}.lat"), format!("{object}.lon")];
        let own = || ["lat".to_owned(), "lon".to_owned()];
        let path = dotted(node).filter(|path| self.local(path.first().unwrap_or(&"")).is_none());
        let names = match path.as_deref() {
            Some(["data"]) => Some(own()),
            Some(["data", object]) => Some(of(object)),
            // The event's, whichever way its type names it. A binding of that name is meant first.
            Some(["place"]) if self.names.find("place").is_none() => {
                let Some(names) = [of("location"), own()].into_iter().find(|names| names.iter().all(known)) else {
                    let fault = self.at(Code::UnknownName, node, format!("`{}` has no place of its own", self.event.name()));
                    return self.fault(fault.help(HELP));
                };
                Some(names)
            }
            _ => None,
        };
        if let Some(names) = names.filter(|names| names.iter().all(known)) {
            let mut found = Vec::new();
            for name in names {
                let (path, _) = field::find(self.event.fields(), &name)?;
                self.guarded(node, path, facts)?;
                self.mentions.field(path, &name);
                found.push(Expr::Field(path));
            }
            return found.try_into().ok();
        }
        let typed = self.check(node, facts)?;
        match (typed.ty, typed.expr) {
            (Ty::Point, point) => Some([Expr::Part(Box::new(point.clone()), 0), Expr::Part(Box::new(point), 1)]),
            (Ty::List(Element::Double | Element::Dyn), Expr::List(parts)) if parts.len() == 2 => parts.try_into().ok(),
            (ty, _) => self.mismatch(node, asked, &[ty], HELP),
        }
    }
}

/// The loop that the parser has written out, by the shapes that it gives its macros.
fn written(repeat: &ComprehensionExpr) -> Option<Written<'_>> {
    if repeat.iter_var2.is_some() {
        return None;
    }
    let Ast::Call(step) = &repeat.loop_step.expr else { return None };
    let plain = |kind, body| Some(Written { kind, body, keep: None });
    match (&repeat.accu_init.expr, step.func_name.as_str(), step.args.as_slice()) {
        (Ast::Literal(LiteralValue::Boolean(_)), "_&&_", [_, body]) => plain(LoopKind::All, body),
        (Ast::Literal(LiteralValue::Boolean(_)), "_||_", [_, body]) => plain(LoopKind::Exists, body),
        (Ast::Literal(LiteralValue::Int(_)), "_?_:_", [body, _, _]) => plain(LoopKind::ExistsOne, body),
        (Ast::List(_), "_+_", [_, made]) => plain(LoopKind::Map, only(made)?),
        (Ast::List(_), "_?_:_", [keep, added, _]) => {
            let Ast::Call(added) = &added.expr else { return None };
            let made = only(added.args.last()?)?;
            // `filter` keeps the variable itself, and so may a `map` with a condition: they are the same.
            match &made.expr {
                Ast::Ident(name) if *name == repeat.iter_var => plain(LoopKind::Filter, keep),
                _ => Some(Written { kind: LoopKind::Map, body: made, keep: Some(keep) }),
            }
        }
        _ => None,
    }
}

/// The one element of a list.
fn only(list: &IdedExpr) -> Option<&IdedExpr> {
    match &list.expr {
        Ast::List(list) => list.elements.first(),
        _ => None,
    }
}
