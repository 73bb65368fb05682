//! The only unsafe code: random bytes by the processor's vector AES, and the
//! loops compiled for the instructions that such a processor has.
//!
//! Nothing here decides anything. Each function does what its namesake in
//! `loops`, the portable cipher, or the crate `sha2` does, bit for bit; tests
//! compare them.

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "vector instructions are called only where the processor was asked for them"
)]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::*;

#[cfg(not(target_arch = "x86_64"))]
mod none;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use none::*;
