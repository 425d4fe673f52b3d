//! The zigzag variable-length integers that records are made of (Kafka `ByteUtils.writeVarint`, `writeVarlong`).

/// Appends a signed integer; small magnitudes are short.
pub fn put(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that `put` writes for this value.
pub fn length(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    let bits = 64 - (zigzag | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Takes a signed integer of up to 32 bits off the front; `None` if it is cut off or too long.
#[inline]
pub fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    match take_short(bytes) {
        Some(value) => Some(unzigzag(value) as i32),
        None => i32::try_from(take_long(bytes, 5)?).ok(),
    }
}

/// Takes a signed integer of up to 64 bits off the front; `None` if it is cut off or too long.
#[inline]
pub fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    match take_short(bytes) {
        Some(value) => Some(unzigzag(value)),
        None => take_long(bytes, 10),
    }
}

/// Takes an integer of one to three bytes, as nearly all are, without a loop.
#[inline]
fn take_short(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    let mut value = u64::from(first);
    if first < 0x80 {
        *bytes = rest;
        return Some(value);
    }
    let (&second, rest) = rest.split_first()?;
    value = value & 0x7f | u64::from(second) << 7;
    if second < 0x80 {
        *bytes = rest;
        return Some(value);
    }
    let (&third, rest) = rest.split_first()?;
    if third < 0x80 {
        *bytes = rest;
        return Some(value & 0x3fff | u64::from(third) << 14);
    }
    None
}

#[cold]
#[inline(never)]
fn take_long(bytes: &mut &[u8], length_max: usize) -> Option<i64> {
    let mut value: u64 = 0;
    let mut shift = 0;
    for (index, byte) in bytes.iter().take(length_max).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Some(unzigzag(value));
        }
        shift += 7;
    }
    None
}

fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_written() {
        for value in [0, -1, 1, 63, -64, 64, 8191, 8192, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(out.len(), length(value), "{value}");
            let mut rest = out.as_slice();
            assert_eq!(take_i64(&mut rest), Some(value));
            assert!(rest.is_empty());
            assert_eq!(take_i32(&mut out.as_slice()), i32::try_from(value).ok());
            assert_eq!(take_i64(&mut &out[..out.len() - 1]), None, "cut off");
        }
    }

    #[test]
    fn overlong_integers_are_refused() {
        assert_eq!(take_i32(&mut [0xff; 6].as_slice()), None);
        assert_eq!(take_i64(&mut [0xff; 11].as_slice()), None);
        assert_eq!(take_i64(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2].as_slice()), None);
        assert_eq!(take_i32(&mut [0xff, 0xff, 0xff, 0xff, 0x0f].as_slice()), Some(i32::MIN));
        assert_eq!(take_i32(&mut [0xff, 0xff, 0xff, 0xff, 0x1f].as_slice()), None);
    }

    #[test]
    fn zigzag_puts_the_sign_in_the_lowest_bit() {
        let mut out = Vec::new();
        for value in [0, -1, 1, -2, 64] {
            put(&mut out, value);
        }
        assert_eq!(out, [0, 1, 2, 3, 0x80, 1]);
    }
}
