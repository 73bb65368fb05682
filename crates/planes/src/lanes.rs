//! SHA-256's compression of sixteen messages side by side: word `w` of message
//! `m` is at `[w][m]`. With vectors of 512 bits that is quicker than the
//! processor's own SHA instructions on one message after another; without, it
//! is not, and [`compress16`] leaves it to the caller.

use crate::plane::Planes;
use crate::simd;

/// Messages that are hashed side by side.
pub const LANES: usize = 16;

/// A word of each message.
type Words = [u32; LANES];
/// The states of sixteen messages.
pub(crate) type State16 = [Words; 8];
/// One block of each, in words.
pub(crate) type Block16 = [Words; 16];

/// FIPS 180-4, 4.2.2.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no vectors, no rounds")
)]
pub(crate) const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// Compresses one block after another of sixteen messages into their states,
/// and answers whether it did: only where the planes are drawn by vectors that
/// are wide enough for it.
pub fn compress16(
    planes: &Planes,
    states: &mut [[u32; LANES]; 8],
    blocks: &[[[u32; LANES]; 16]],
) -> bool {
    planes
        .vector()
        .is_some_and(|vector| simd::compress16(vector, states, blocks))
}

#[cfg(test)]
mod tests {
    use sha2::block_api::compress256;

    use super::*;
    use crate::plane::Engine;

    /// Sixteen different messages of two blocks, one by one by the crate `sha2`
    /// and side by side.
    #[test]
    fn sixteen_at_once_are_sixteen_one_by_one() {
        let start: [u32; 8] = std::array::from_fn(|i| 0x9e37_79b9_u32.wrapping_mul(i as u32 + 3));
        let messages: Vec<[[u8; 64]; 2]> = (0..LANES)
            .map(|m| {
                std::array::from_fn(|b| std::array::from_fn(|i| (m * 131 + b * 57 + i * i) as u8))
            })
            .collect();
        let mut want = [[0; LANES]; 8];
        for (lane, message) in messages.iter().enumerate() {
            let mut state = start;
            compress256(&mut state, message);
            for (word, state) in want.iter_mut().zip(state) {
                word[lane] = state;
            }
        }
        let blocks: [Block16; 2] = std::array::from_fn(|b| {
            std::array::from_fn(|word| {
                std::array::from_fn(|lane| {
                    let bytes = messages[lane][b][4 * word..].first_chunk().unwrap();
                    u32::from_be_bytes(*bytes)
                })
            })
        });
        let mut vector = start.map(|word| [word; LANES]);
        if let Ok(planes) = Planes::new(1, Engine::Wide) {
            assert!(compress16(&planes, &mut vector, &blocks));
            assert_eq!(vector, want, "the vector path");
        }
        let portable = Planes::new(1, Engine::Portable).unwrap();
        assert!(!compress16(&portable, &mut vector, &blocks));
    }
}
