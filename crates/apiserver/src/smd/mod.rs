//! Structured merge and diff, as `sigs.k8s.io/structured-merge-diff` v6 does
//! it: sets of fields ([`set`]), what is known of the type of a value ([`ty`]),
//! and one file for each walk over typed values: [`check`] one, list its
//! [`fields`], [`mod@compare`] two, [`mod@merge`] two, and [`mod@remove`]
//! fields. Who owns which field is the matter of [`crate::managed`].

mod check;
mod compare;
mod fields;
mod merge;
mod pair;
mod remove;
pub(crate) mod set;
pub(crate) mod ty;

pub(crate) use check::{go_plain, text_of, validate};
pub(crate) use compare::{Comparison, compare};
pub(crate) use fields::fields_of;
pub(crate) use merge::merge;
pub(crate) use remove::remove;
pub(crate) use set::Set;
pub(crate) use ty::Ty;
