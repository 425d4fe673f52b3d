//! Random bytes from the system. The only source of randomness of the process; handed in where it is needed.

/// 16 fresh random bytes.
///
/// # Panics
/// If the system has no randomness: nothing could be named safely then.
pub fn bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    bytes
}
