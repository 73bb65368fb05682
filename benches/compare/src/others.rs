//! What other people's libraries do for the same question.

use std::collections::HashMap;

use fixname_planes::{Engine, Planes};

use crate::{Failure, SEED};

/// Items and check number.
pub(crate) fn perform(task: &str, numbers: &[u64]) -> Result<(u64, f64), Failure> {
    match (task, numbers) {
        ("sort-std", &[keys]) => sorted(keys, <[u64]>::sort_unstable),
        ("sort-rdst", &[keys]) => sorted(keys, rdst::RadixSort::radix_sort_unstable),
        ("sort-voracious", &[keys]) => {
            sorted(keys, voracious_radix_sort::RadixSort::voracious_sort)
        }
        ("hash-map", &[keys]) => hash_map(keys),
        _ => Err(format!("unknown task {task} with {numbers:?}").into()),
    }
}

fn keys(planes: &Planes, count: u64) -> Result<Vec<u64>, Failure> {
    let mut blocks = vec![[0; 16]; usize::try_from(count.div_ceil(2))?];
    planes.fill(0, 0, 0, &mut blocks);
    let (words, _) = blocks.as_flattened().as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    Ok(words.take(usize::try_from(count)?).collect())
}

/// Draws keys, sorts them, and counts equal neighbours.
fn sorted(count: u64, sort: impl Fn(&mut [u64])) -> Result<(u64, f64), Failure> {
    let mut keys = keys(&Planes::new(SEED, Engine::Auto)?, count)?;
    sort(&mut keys);
    let equal = keys.windows(2).filter(|pair| pair[0] == pair[1]).count();
    Ok((count, equal as f64))
}

/// As a first program would: UUIDs as text, counted in a map.
fn hash_map(count: u64) -> Result<(u64, f64), Failure> {
    let keys = keys(&Planes::new(SEED, Engine::Auto)?, 2 * count)?;
    let mut held: HashMap<String, u32> = HashMap::new();
    for pair in keys.chunks_exact(2) {
        let (high, low) = (pair[0], pair[1]);
        let uuid = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        );
        *held.entry(uuid).or_default() += 1;
    }
    let groups = held.values().filter(|count| **count > 1).count();
    Ok((count, groups as f64))
}
