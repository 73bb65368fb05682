//! Types of expressions: a rule that can never work is refused when it is
//! defined, with the words of cel-go's checker.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SourceInfo};

use super::library;
use super::types::Type;

/// Compiles an expression over these variables; also returns its type.
pub(super) fn compile(
    source: &str,
    variables: Vec<(&str, Type)>,
) -> Result<(cel::Program, Type), String> {
    let program = library::environment().compile(source).map_err(|all| {
        let shown: Vec<String> = all
            .errors
            .iter()
            .map(|e| {
                let line = usize::try_from(e.pos.0).unwrap_or(1).max(1);
                let column = usize::try_from(e.pos.1).unwrap_or(1).max(1);
                show(source, line, column, &e.msg)
            })
            .collect();
        shown.join("\n")
    })?;
    let mut checker = Checker {
        info: program.source_info(),
        scope: variables
            .into_iter()
            .map(|(name, of)| (name.to_owned(), of))
            .collect(),
        errors: Vec::new(),
    };
    let of = checker.check(program.expression());
    let mut errors = checker.errors;
    if errors.is_empty() {
        return Ok((program, of));
    }
    errors.sort_by_key(|(offset, _)| *offset);
    let shown: Vec<String> = errors
        .iter()
        .map(|(offset, message)| {
            let (line, column) = place(source, *offset as usize);
            show(source, line, column, message)
        })
        .collect();
    Err(shown.join("\n"))
}

/// Line and column, from 1, of a character.
fn place(source: &str, offset: usize) -> (usize, usize) {
    let before: Vec<char> = source.chars().take(offset).collect();
    let line = before.iter().filter(|c| **c == '\n').count();
    let column = before.iter().rev().take_while(|c| **c != '\n').count();
    (line + 1, column + 1)
}

fn show(source: &str, line: usize, column: usize, message: &str) -> String {
    let text = source.lines().nth(line - 1).unwrap_or_default();
    format!(
        "ERROR: <input>:{line}:{column}: {message}\n | {text}\n | {}^",
        ".".repeat(column - 1)
    )
}

struct Checker<'a> {
    info: &'a SourceInfo,
    /// Variables, the innermost last.
    scope: Vec<(String, Type)>,
    /// Where, and what.
    errors: Vec<(u32, String)>,
}

impl Checker<'_> {
    fn fail(&mut self, id: u64, message: String) -> Type {
        let offset = self.info.offset_for(id).map_or(0, |(start, _)| start);
        self.errors.push((offset, message));
        Type::Dyn
    }

    fn variable(&self, name: &str) -> Option<Type> {
        self.scope
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, of)| of.clone())
    }

    fn check(&mut self, expr: &IdedExpr) -> Type {
        match &expr.expr {
            Expr::Unspecified => Type::Dyn,
            Expr::Literal(value) => match value {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::String,
                LiteralValue::UInt(_) => Type::Uint,
            },
            Expr::Ident(name) => match self.variable(name) {
                Some(of) => of,
                None if TYPE_NAMES.contains(&name.as_str()) => Type::OfTypes,
                None => self.fail(expr.id, undeclared(name)),
            },
            Expr::Select(select) => {
                let operand = self.check(&select.operand);
                let found = self.field(expr.id, &operand, &select.field);
                if select.test { Type::Bool } else { found }
            }
            Expr::List(list) => {
                let mut of = Type::Dyn;
                for (i, element) in list.elements.iter().enumerate() {
                    let mut found = self.check(element);
                    if list.optional_indices.contains(&i)
                        && let Type::Optional(inner) = found
                    {
                        found = *inner;
                    }
                    of = self.same(element.id, of, found);
                }
                Type::list(of)
            }
            Expr::Map(map) => {
                let (mut keys, mut values) = (Type::Dyn, Type::Dyn);
                for entry in &map.entries {
                    if let cel::common::ast::EntryExpr::MapEntry(entry) = &entry.expr {
                        let key = self.check(&entry.key);
                        keys = self.same(entry.key.id, keys, key);
                        let value = self.check(&entry.value);
                        values = self.same(entry.value.id, values, value);
                    }
                }
                Type::Map(Box::new(keys), Box::new(values))
            }
            Expr::Struct(message) => {
                let name = message.type_name.clone();
                self.fail(expr.id, undeclared(&name))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Call(call) => self.call(expr.id, call),
        }
    }

    /// Elements of a literal must have one type.
    fn same(&mut self, id: u64, wanted: Type, found: Type) -> Type {
        if !wanted.accepts(&found) {
            self.fail(id, format!("expected type '{wanted}' but found '{found}'"));
        }
        wanted.join(found)
    }

    fn field(&mut self, id: u64, operand: &Type, name: &str) -> Type {
        match operand {
            Type::Dyn => Type::Dyn,
            Type::Map(_, value) => (**value).clone(),
            Type::Object(fields) => match fields.get(name) {
                Some(of) => of.clone(),
                None => self.fail(id, format!("undefined field '{name}'")),
            },
            Type::Optional(inner) => {
                let found = self.field(id, inner, name);
                Type::Optional(Box::new(found))
            }
            other => self.fail(
                id,
                format!("type '{other}' does not support field selection"),
            ),
        }
    }

    fn comprehension(&mut self, of: &ComprehensionExpr) -> Type {
        let range = self.check(&of.iter_range);
        let (first, second) = match range {
            Type::List(item) if of.iter_var2.is_some() => (Type::Int, *item),
            Type::List(item) => (*item, Type::Dyn),
            Type::Map(key, value) => (*key, *value),
            Type::Dyn => (Type::Dyn, Type::Dyn),
            other => {
                self.fail(
                    of.iter_range.id,
                    format!("expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"),
                );
                (Type::Dyn, Type::Dyn)
            }
        };
        let start = self.check(&of.accu_init);
        let depth = self.scope.len();
        self.scope.push((of.accu_var.clone(), start.clone()));
        self.scope.push((of.iter_var.clone(), first));
        if let Some(name) = &of.iter_var2 {
            self.scope.push((name.clone(), second));
        }
        self.check(&of.loop_cond);
        let step = self.check(&of.loop_step);
        self.scope.truncate(depth);
        // An empty list to start with gets its type from the first step.
        let grown = match (&start, step) {
            (Type::List(item), step) if **item == Type::Dyn => step,
            _ => start,
        };
        self.scope.push((of.accu_var.clone(), grown));
        let result = self.check(&of.result);
        self.scope.truncate(depth);
        result
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Type {
        let name = call.func_name.as_str();
        // `optional.of(x)` parses as a method of a variable `optional`.
        if let Some(target) = &call.target
            && let Expr::Ident(space) = &target.expr
            && self.variable(space).is_none()
        {
            let full = format!("{space}.{name}");
            if library::signatures(&full).is_some() {
                let args = call.args.iter().map(|a| self.check(a)).collect::<Vec<_>>();
                return self.resolve(id, &full, None, &args);
            }
        }
        match (name, call.args.as_slice()) {
            ("_?._", [operand, field]) => {
                let operand = self.check(operand);
                let Expr::Literal(LiteralValue::String(field)) = &field.expr else {
                    return Type::Dyn;
                };
                let field = field.inner().to_owned();
                let inner = match operand {
                    Type::Optional(inner) => *inner,
                    other => other,
                };
                let found = self.field(id, &inner, &field);
                return Type::Optional(Box::new(found));
            }
            ("_?_:_", [condition, yes, no]) => {
                let condition = self.check(condition);
                let (yes, no) = (self.check(yes), self.check(no));
                if Type::Bool.accepts(&condition) && yes.accepts(&no) {
                    return yes.join(no);
                }
                return self.no_overload(id, name, None, &[condition, yes, no]);
            }
            _ => {}
        }
        let target = call.target.as_ref().map(|t| self.check(t));
        let args: Vec<Type> = call.args.iter().map(|a| self.check(a)).collect();
        if name == "matches"
            && let Some(pattern) = call.args.last()
            && let Expr::Literal(LiteralValue::String(text)) = &pattern.expr
            && regex::Regex::new(text.inner()).is_err()
        {
            return self.fail(pattern.id, "invalid matches argument".to_owned());
        }
        self.resolve(id, name, target.as_ref(), &args)
    }

    fn no_overload(&mut self, id: u64, name: &str, target: Option<&Type>, args: &[Type]) -> Type {
        let shown: Vec<String> = args.iter().map(Type::to_string).collect();
        let shown = match target {
            Some(target) => format!("{target}.({})", shown.join(", ")),
            None => format!("({})", shown.join(", ")),
        };
        self.fail(
            id,
            format!("found no matching overload for '{name}' applied to '{shown}'"),
        )
    }

    fn resolve(&mut self, id: u64, name: &str, target: Option<&Type>, args: &[Type]) -> Type {
        if library::is_absent(name) {
            return self.fail(
                id,
                format!("this server does not have the function '{name}' of Kubernetes' own CEL libraries"),
            );
        }
        let Some(signatures) = library::signatures(name) else {
            return self.fail(id, undeclared(name));
        };
        for signature in signatures {
            if let Some(result) = signature.apply(target, args) {
                return result;
            }
        }
        self.no_overload(id, name, target, args)
    }
}

fn undeclared(name: &str) -> String {
    format!("undeclared reference to '{name}' (in container '')")
}

const TYPE_NAMES: [&str; 11] = [
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "optional_type",
];
