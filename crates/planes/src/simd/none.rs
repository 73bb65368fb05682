//! Other processors have the portable path alone.

use std::ops::Range;

use crate::lanes::{Block16, State16};
use crate::loops::Prefixes;
use crate::occupancy::{Occupancy, Shared};
use crate::plane::{Address, Block, Planes, Width};

/// Never made.
#[derive(Clone)]
pub(crate) enum Vector {}

impl Vector {
    pub(crate) fn new(_: &[u8; 16], _: Width) -> Option<Self> {
        None
    }

    pub(crate) fn fill(&self, _: Address, _: &mut [Block]) {
        match *self {}
    }
}

/// There is no vector path to compile a loop for.
macro_rules! never {
    ($($name:ident($($type:ty),*) $(-> $result:ty)?;)*) => {$(
        pub(crate) fn $name(v: &Vector, $(_: $type),*) $(-> $result)? {
            match *v {}
        }
    )*};
}

never! {
    first_repeats(&mut Prefixes, Range<u64>, u32, &mut [u64]);
    repeats(&mut Prefixes, Range<u64>, usize, u32, &mut dyn FnMut(u64, &[u16]));
    distinct(&mut Prefixes, Range<u64>, usize, u32, &mut dyn FnMut(u64, u32));
    occupancy(&mut Occupancy, &Planes, Range<u64>, &mut dyn FnMut(u64, Shared<'_>));
    heads(Address, u64) -> u64;
    keep_suspects(&mut [u64], &mut [u64], &mut [u64], u32) -> usize;
    compress16(&mut State16, &[Block16]) -> bool;
}
