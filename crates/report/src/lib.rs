//! Writes what was found as text: for people, for programs, and as the
//! knowledge base's script would have. Decides nothing, and prints nothing
//! itself: every function returns the whole text.
//!
//! Map of the code: [`detect`] has the table and the wide table of a diagnosis,
//! [`data`] JSON and YAML of anything, [`catalogue`] a page about scenarios, [`kb`] the script's text, [`suite`] what
//! scenarios showed, [`plot`] draws, and [`text`]
//! what all human output is made of (columns, wrapping, safe words).
//!
//! Text for people may hold colours as ANSI sequences; who prints it to
//! something other than a terminal takes them out (the binary does).

pub mod catalogue;
pub mod data;
pub mod detect;
pub mod explain;
pub mod kb;
pub mod plot;
pub mod suite;
pub mod text;
