//! Chance that is none: the same names give the same numbers, on every machine and in every version.

/// A number from a text, spread over all 64 bits: FNV-1a (RFC 9923) and the last steps of SplitMix64.
pub(super) fn number(text: &str, draw: u64) -> u64 {
    let bytes = text.bytes().chain(draw.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
