//! POST, PUT and PATCH, in the real server's order: decode, prune and default
//! ([`decode`]); managed fields; mutating admission ([`admit`]); strategy and
//! validation; validating admission; store ([`create`], [`update`]).

mod admit;
mod create;
pub(crate) mod decode;
mod update;

pub(crate) use admit::{admission_request, mutate_delete, validate};
pub(crate) use create::create;
pub(crate) use decode::shape;
pub(crate) use update::{bind, patch, replace, scale};
