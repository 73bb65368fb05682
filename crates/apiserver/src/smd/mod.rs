//! Structured merge and diff, as `sigs.k8s.io/structured-merge-diff` v6 does
//! it: sets of fields ([`set`]), what is known of the type of a value ([`ty`]),
//! and the walks over typed values ([`typed`]). Who owns which field is the
//! matter of [`crate::managed`].

pub(crate) mod set;
pub(crate) mod ty;
pub(crate) mod typed;

pub(crate) use set::Set;
pub(crate) use ty::Ty;
