//! Which optional fields are there: what a `has()` says about the rest of its condition.

use cel::common::ast::{Expr as Ast, IdedExpr};
use rasid_detectors::event::field::{self, FieldPath};

use crate::diagnostic::Code;
use crate::typecheck::{Checker, dotted};

/// Optional fields that are known to be there.
pub(crate) type Facts = Vec<FieldPath>;

impl Checker<'_> {
    /// Refuses a read of what may be absent, unless a `has()` before it says that it is there.
    pub(crate) fn guarded(&mut self, node: &IdedExpr, path: FieldPath, facts: &Facts) -> Option<()> {
        let outer = FieldPath { field: path.field, child: None };
        let spec = self.event.fields().get(usize::from(path.field))?;
        let child = path.child.and_then(|child| spec.children.get(usize::from(child)));
        let missing = if spec.optional && !facts.contains(&outer) {
            spec.name.to_owned()
        } else if let Some(child) = child.filter(|child| child.optional && !facts.contains(&path)) {
            format!("{}.{}", spec.name, child.name)
        } else {
            return Some(());
        };
        let fault = self.at(Code::MayBeAbsent, node, format!("`data.{missing}` may be absent in {}", self.event.name()));
        self.fault(fault.help(format!("write has(data.{missing}) && … before it")))
    }

    /// The fields that are there once `node` has come out as `outcome`.
    pub(crate) fn knowing(&self, node: &IdedExpr, outcome: bool, facts: &Facts) -> Facts {
        let mut known = facts.clone();
        known.extend(self.implied(node, outcome));
        known
    }

    fn implied(&self, node: &IdedExpr, outcome: bool) -> Facts {
        match &node.expr {
            Ast::Select(select) if select.test && outcome => {
                let name = match dotted(&select.operand).as_deref() {
                    Some(["data"]) => select.field.clone(),
                    Some(["data", object]) => format!("{object}.{}", select.field),
                    _ => return Facts::new(),
                };
                field::find(self.event.fields(), &name).map(|(path, _)| path).into_iter().collect()
            }
            Ast::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                ("!_", [inner]) => self.implied(inner, !outcome),
                ("_&&_" | "_||_", [left, right]) => {
                    let (mut left, right) = (self.implied(left, outcome), self.implied(right, outcome));
                    if (call.func_name == "_&&_") == outcome {
                        left.extend(right);
                    } else {
                        left.retain(|path| right.contains(path));
                    }
                    left
                }
                _ => Facts::new(),
            },
            _ => Facts::new(),
        }
    }
}
