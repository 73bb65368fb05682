//! What Kubernetes' lists, regex and sets libraries compute
//! (`apiserver/pkg/cel/library/{lists,regex}.go`, `cel-go/ext/sets.go`).

#![expect(
    clippy::needless_pass_by_value,
    reason = "the signature of an overload is the interpreter's"
)]

use std::cmp::Ordering;
use std::sync::Arc;

use cel::common::types::{DYN_TYPE, INT_TYPE, LIST_TYPE, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError, Value};

type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;
type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Adds the functions to an environment.
pub(super) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_member_overload("isSorted", "list_is_sorted", LIST_TYPE, vec![], is_sorted)?;
    env.add_member_overload("sum", "list_sum", LIST_TYPE, vec![], sum)?;
    env.add_member_overload("min", "list_min", LIST_TYPE, vec![], min)?;
    env.add_member_overload("max", "list_max", LIST_TYPE, vec![], max)?;
    env.add_member_overload(
        "indexOf",
        "list_index_of",
        LIST_TYPE,
        vec![DYN_TYPE],
        index_of,
    )?;
    env.add_member_overload(
        "lastIndexOf",
        "list_last_index_of",
        LIST_TYPE,
        vec![DYN_TYPE],
        last_index_of,
    )?;
    env.add_member_overload("find", "string_find", STRING_TYPE, vec![STRING_TYPE], find)?;
    env.add_member_overload(
        "findAll",
        "string_find_all",
        STRING_TYPE,
        vec![STRING_TYPE],
        find_all,
    )?;
    env.add_member_overload(
        "findAll",
        "string_find_all_limit",
        STRING_TYPE,
        vec![STRING_TYPE, INT_TYPE],
        find_all,
    )?;
    let two = || vec![LIST_TYPE, LIST_TYPE];
    env.add_overload("sets.contains", "sets_contains", two(), sets_contains)?;
    env.add_overload("sets.equivalent", "sets_equivalent", two(), sets_equivalent)?;
    env.add_overload("sets.intersects", "sets_intersects", two(), sets_intersects)
}

fn values(args: &Args<'_, '_>) -> Result<Vec<Value>, ExecutionError> {
    args.iter()
        .map(|arg| Value::try_from(arg.as_ref()))
        .collect()
}

fn answer<'b, 'v>(value: Value) -> Answer<'b, 'v> {
    value.try_into().map(CowVal::Owned)
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn failed(function: &str, why: impl ToString) -> ExecutionError {
    ExecutionError::function_error(function, why)
}

fn is_sorted<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    let sorted = list(&args[0])
        .windows(2)
        .all(|pair| pair[0].partial_cmp(&pair[1]) != Some(Ordering::Greater));
    answer(Value::Bool(sorted))
}

fn sum<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    let mut total: Option<Value> = None;
    for item in list(&args[0]) {
        total = Some(match total {
            None => item.clone(),
            Some(total) => add(&total, item)?,
        });
    }
    answer(total.unwrap_or(Value::Int(0)))
}

fn add(a: &Value, b: &Value) -> Result<Value, ExecutionError> {
    let overflow = || failed("sum", "integer overflow");
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(*b).ok_or_else(overflow)?),
        (Value::UInt(a), Value::UInt(b)) => Value::UInt(a.checked_add(*b).ok_or_else(overflow)?),
        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
        (Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(a.checked_add(b).ok_or_else(overflow)?)
        }
        _ => return Err(failed("sum", "no such overload")),
    })
}

/// The first item for which no other is further in the direction of `better`.
fn extreme(name: &str, args: &Args<'_, '_>, better: Ordering) -> Result<Value, ExecutionError> {
    let args = values(args)?;
    let mut items = list(&args[0]).iter();
    let Some(mut found) = items.next() else {
        return Err(failed(name, format!("{name} called on empty list")));
    };
    for item in items {
        if item.partial_cmp(found) == Some(better) {
            found = item;
        }
    }
    Ok(found.clone())
}

fn min<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    answer(extreme("min", &args, Ordering::Less)?)
}

fn max<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    answer(extreme("max", &args, Ordering::Greater)?)
}

fn index(found: Option<usize>) -> Value {
    Value::Int(found.and_then(|i| i64::try_from(i).ok()).unwrap_or(-1))
}

fn index_of<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    answer(index(list(&args[0]).iter().position(|i| *i == args[1])))
}

fn last_index_of<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    answer(index(list(&args[0]).iter().rposition(|i| *i == args[1])))
}

fn find_in(args: &[Value], limit: usize) -> Result<Vec<Value>, ExecutionError> {
    let [Value::String(text), Value::String(pattern), ..] = args else {
        return Err(failed("find", "no such overload"));
    };
    let regex = regex::Regex::new(pattern).map_err(|e| failed("find", e))?;
    Ok(regex
        .find_iter(text)
        .take(limit)
        .map(|found| Value::from(found.as_str()))
        .collect())
}

fn find<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let first = find_in(&values(&args)?, 1)?.pop();
    answer(first.unwrap_or_else(|| Value::from("")))
}

fn find_all<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    // A negative limit is none.
    let limit = match args.get(2) {
        Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    answer(Value::List(Arc::new(find_in(&args, limit)?)))
}

fn all_in(a: &Value, b: &Value) -> bool {
    list(a).iter().all(|item| list(b).contains(item))
}

fn sets_contains<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    answer(Value::Bool(all_in(&args[1], &args[0])))
}

fn sets_equivalent<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    answer(Value::Bool(
        all_in(&args[0], &args[1]) && all_in(&args[1], &args[0]),
    ))
}

fn sets_intersects<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let args = values(&args)?;
    let meet = list(&args[0])
        .iter()
        .any(|item| list(&args[1]).contains(item));
    answer(Value::Bool(meet))
}
