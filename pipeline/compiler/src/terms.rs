//! Where the terms of a rule's conditions stand in its file, and what each comes to: programs know no places, and people ask about
//! places.
//!
//! A term is what `&&`, `||`, `!` and `? :` join: the condition itself, and whatever they join in it. What stands in a comparison or a
//! call is part of that term.

use std::ops::Range;

use cel::common::ast::{Expr as Ast, IdedExpr};

use crate::cel::Source;
use crate::expression::{EvalError, Expr, Scope};
use crate::ruleset::{Program, Trigger};
use crate::yaml::{Node, NodeValue};

/// The conditions of one rule.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The terms of `when`.
    pub when: Term,
    /// Where the `if` of each override stands, in their order.
    pub applies: Vec<Range<usize>>,
    /// How many lists of `except` are asked before `when` is.
    spared: usize,
}

/// A term of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Where it stands in its file, bytes.
    pub span: Range<usize>,
    /// What joins its parts.
    pub joins: Joins,
    /// The terms in it, from left to right.
    pub parts: Vec<Term>,
}

/// What joins the parts of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joins {
    /// Nothing: it has none.
    Nothing,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `!`.
    Not,
    /// `? :`.
    Conditional,
}

/// What a term came to; `None`: it was not asked, as what stands before it had decided.
pub type Came = Option<Result<bool, EvalError>>;

impl Terms {
    /// Those of the rule of the file `text`, whose tree is `root`, that was lowered to those triggers. `spared`: how many lists it
    /// spares.
    pub(crate) fn of(text: &str, when: Option<&Source<'_>>, triggers: &[Trigger], root: &Node, spared: usize) -> Self {
        let program = triggers.first().and_then(|trigger| trigger.programs.last());
        let when = when.zip(program).map(|(source, program)| Term::of(text, source, &source.root, inside(&program.when, spared)));
        let items = if let Some(NodeValue::Seq(items)) = root.member("overrides").map(|node| &node.value) { items.as_slice() } else { &[] };
        let applies = items.iter().filter_map(|item| Some(item.member("if")?.span.clone()));
        Self { when: when.unwrap_or_else(|| Term::alone(0..0)), applies: applies.collect(), spared }
    }

    /// What the `if` of each override and then each term of `when` comes to where a rule runs the program of that number, of those
    /// of one trigger: those of the overrides before it do not apply, and those after it are not asked.
    pub fn came<S: Scope + ?Sized>(&self, programs: &[Program], chosen: usize, scope: &S) -> Vec<Came> {
        let asked = programs.iter().take(chosen + 1).filter_map(|program| program.applies.as_ref());
        let mut came: Vec<Came> = asked.map(|applies| Some(crate::is_hit(applies, scope))).collect();
        came.resize(self.applies.len(), None);
        let Some(program) = programs.get(chosen) else { return came };
        let inside = (0..self.spared).try_fold(&program.when, |when, _| match when {
            Expr::And(first, inner) if crate::is_hit(first, scope) != Ok(false) => Some(inner.as_ref()),
            _ => None,
        });
        if let Some(when) = inside {
            let whole = self.when.run(when, scope, &mut came);
            debug_assert_eq!(whole, crate::is_hit(when, scope), "taken term by term it comes to the same");
        } else {
            self.when.pass_over(&mut came);
        }
        came
    }

    /// The program of `when`, without what spares people.
    pub fn program<'p>(&self, program: &'p Program) -> &'p Expr {
        inside(&program.when, self.spared)
    }
}

/// The condition inside the tests of those who are spared.
fn inside(when: &Expr, spared: usize) -> &Expr {
    (0..spared).fold(when, |when, _| if let Expr::And(_, inner) = when { inner } else { when })
}

impl Term {
    pub(crate) fn alone(span: Range<usize>) -> Self {
        Self { span, joins: Joins::Nothing, parts: Vec::new() }
    }

    fn of(text: &str, source: &Source<'_>, node: &IdedExpr, expr: &Expr) -> Self {
        let (joins, parts) = split(expr);
        let written = match &node.expr {
            Ast::Call(call) => (call.func_name.as_str(), call.args.as_slice()),
            _ => ("", [].as_slice()),
        };
        // A comparison of lists is lowered to a negation, and is one term all the same.
        let same = match joins {
            Joins::Nothing => false,
            Joins::And => written.0 == "_&&_",
            Joins::Or => written.0 == "_||_",
            Joins::Not => written.0 == "!_",
            Joins::Conditional => written.0 == "_?_:_",
        };
        let span = with_brackets(text, source.span(node));
        if !same || written.1.len() != parts.len() {
            return Self::alone(span);
        }
        Self { span, joins, parts: written.1.iter().zip(parts).map(|(node, part)| Self::of(text, source, node, part)).collect() }
    }

    /// The programs of its parts, where `expr` is its own.
    pub fn programs<'e>(&self, expr: &'e Expr) -> Vec<&'e Expr> {
        if self.joins == Joins::Nothing { Vec::new() } else { split(expr).1 }
    }

    /// How many terms it is, itself and those in it.
    pub fn count(&self) -> usize {
        1 + self.parts.iter().map(Self::count).sum::<usize>()
    }

    /// Runs it as [`is_hit`](crate::is_hit) does, `expr` being its program, and appends what each term came to, itself before those in
    /// it.
    ///
    /// # Errors
    /// As CEL says; an error is no hit.
    pub fn run<S: Scope + ?Sized>(&self, expr: &Expr, scope: &S, came: &mut Vec<Came>) -> Result<bool, EvalError> {
        let own = came.len();
        came.push(None);
        let programs = self.programs(expr);
        let whole = match (self.joins, self.parts.as_slice(), programs.as_slice()) {
            (Joins::And | Joins::Or, [left, right], [first, second]) => {
                let decides = self.joins == Joins::Or;
                match left.run(first, scope, came) {
                    Ok(value) if value == decides => {
                        right.pass_over(came);
                        Ok(decides)
                    }
                    Ok(_) => right.run(second, scope, came),
                    Err(error) => right.run(second, scope, came).ok().filter(|value| *value == decides).ok_or(error),
                }
            }
            (Joins::Not, [inner], [program]) => inner.run(program, scope, came).map(|value| !value),
            (Joins::Conditional, [asked, yes, no], [first, second, third]) => match asked.run(first, scope, came) {
                Ok(true) => {
                    let value = yes.run(second, scope, came);
                    no.pass_over(came);
                    value
                }
                Ok(false) => {
                    yes.pass_over(came);
                    no.run(third, scope, came)
                }
                Err(error) => {
                    yes.pass_over(came);
                    no.pass_over(came);
                    Err(error)
                }
            },
            _ => crate::is_hit(expr, scope),
        };
        if let Some(place) = came.get_mut(own) {
            *place = Some(whole);
        }
        whole
    }

    fn pass_over(&self, came: &mut Vec<Came>) {
        came.extend(std::iter::repeat_n(None, self.count()));
    }
}

/// A place with the brackets that begin or end in it: they are no part of the tree, and `a && (b || c` reads as if something were missing.
fn with_brackets(text: &str, span: Range<usize>) -> Range<usize> {
    let (mut depth, mut lowest, mut quote) = (0_usize, 0_usize, None);
    for c in text.get(span.clone()).unwrap_or_default().chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '(') => depth += 1,
            (None, ')') if depth > 0 => depth -= 1,
            (None, ')') => lowest += 1,
            _ => {}
        }
    }
    let Range { mut start, mut end } = span;
    for _ in 0..lowest {
        let before = text.get(..start).unwrap_or_default().trim_end();
        start = if before.ends_with('(') { before.len() - 1 } else { start };
    }
    for _ in 0..depth {
        let rest = text.get(end..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start().len();
        end = if rest.trim_start().starts_with(')') { end + blanks + 1 } else { end };
    }
    start..end
}

/// What joins the parts of a program, and those.
fn split(expr: &Expr) -> (Joins, Vec<&Expr>) {
    match expr {
        Expr::And(left, right) => (Joins::And, vec![left, right]),
        Expr::Or(left, right) => (Joins::Or, vec![left, right]),
        Expr::Not(inner) => (Joins::Not, vec![inner]),
        Expr::Conditional(asked, yes, no) => (Joins::Conditional, vec![asked, yes, no]),
        _ => (Joins::Nothing, Vec::new()),
    }
}
