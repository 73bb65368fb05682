//! The planes behind rand's traits.

use std::convert::Infallible;

use rand_core::{SeedableRng, TryRng};

use crate::plane::{Address, Block, Engine, Planes};

/// Blocks drawn at once.
const BUFFER: usize = 64;

/// The bytes of one plane and cluster, one after another.
#[derive(Clone)]
pub struct PlaneStream {
    planes: Planes,
    next: Address,
    buffer: [Block; BUFFER],
    /// Bytes of the buffer that are used up.
    used: usize,
}

impl std::fmt::Debug for PlaneStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaneStream").finish_non_exhaustive()
    }
}

impl PlaneStream {
    pub(crate) fn new(planes: Planes, from: Address) -> Self {
        Self {
            planes,
            next: from,
            buffer: [[0; 16]; BUFFER],
            used: BUFFER * 16,
        }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.copy(&mut out);
        out
    }

    fn copy(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.used == BUFFER * 16 {
                self.planes.fill_from(self.next, &mut self.buffer);
                self.next = self.next.plus(BUFFER as u64);
                self.used = 0;
            }
            let rest = &self.buffer.as_flattened()[self.used..];
            let count = rest.len().min(out.len());
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&rest[..count]);
            self.used += count;
            out = later;
        }
    }
}

impl TryRng for PlaneStream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.take()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.take()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.copy(out);
        Ok(())
    }
}

impl SeedableRng for PlaneStream {
    type Seed = [u8; 16];

    /// Plane 0 and cluster 0 under this key.
    fn from_seed(key: Self::Seed) -> Self {
        match Planes::with_key(&key, Engine::Auto) {
            Ok(planes) => planes.stream(0, 0),
            Err(_) => unreachable!("any processor has one of the engines"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_core::Rng;

    use super::*;

    #[test]
    fn the_stream_is_the_plane() {
        let planes = Planes::new(5, Engine::Auto).unwrap();
        let mut want = [[0; 16]; 200];
        planes.fill(2, 11, 0, &mut want);
        let want = want.as_flattened();
        let mut stream = planes.stream(2, 11);
        let mut got = Vec::new();
        // Pieces that do not fit into the buffer evenly.
        for length in (1..70).cycle() {
            let mut piece = vec![0; length];
            stream.fill_bytes(&mut piece);
            got.extend(piece);
            if got.len() > want.len() {
                break;
            }
        }
        assert_eq!(&got[..want.len()], want);
        let mut stream = planes.stream(2, 11);
        let first = u64::from_le_bytes(want[..8].try_into().unwrap());
        assert_eq!(stream.next_u64(), first);
        let next = u32::from_le_bytes(want[8..12].try_into().unwrap());
        assert_eq!(stream.next_u32(), next);
    }

    #[test]
    fn rand_takes_it() {
        let mut stream = PlaneStream::from_seed([1; 16]);
        let dice: Vec<u8> = (0..600).map(|_| stream.random_range(1..=6)).collect();
        for face in 1..=6 {
            let count = dice.iter().filter(|&&f| f == face).count();
            assert!((60..150).contains(&count), "{face}: {count}");
        }
    }
}
