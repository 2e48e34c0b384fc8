//! Numbers as digits: `NUMIN`, `NUMOUT`, `DNUMIN`, `DNUMOUT` (Guardian Procedure Calls).

/// The bases that numbers are written in.
pub(crate) const BASES: std::ops::RangeInclusive<u32> = 2..=36;

/// What stood at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Status 0: a number; the bits it is made of, cut to the width asked for.
    Number(i32),
    /// Status 1: the text does not begin with a number.
    Nothing,
    /// Status -1: digits of another base, or a number too large.
    Illegal,
}

impl Reading {
    /// The status that the procedures give.
    pub(crate) fn status(self) -> i16 {
        match self {
            Self::Number(_) => 0,
            Self::Nothing => 1,
            Self::Illegal => -1,
        }
    }
}

/// Reads a number of `bits` (16 or 32) and tells how many bytes it takes.
///
/// `[+|-][%[B|H]]digits`: `%` alone means octal and `%B` binary, `%H` hexadecimal. A signed decimal number must fit a
/// signed word of that width; a number with a base of its own, or in a base other than ten, may fill all its bits.
pub(crate) fn read(text: &[u8], base: u32, bits: u32) -> (Reading, usize) {
    let mut at = 0;
    let sign = match text.first() {
        Some(b'-') => -1,
        _ => 1,
    };
    if matches!(text.first(), Some(b'+' | b'-')) {
        at += 1;
    }
    let mut base = base;
    if text.get(at) == Some(&b'%') {
        at += 1;
        base = match text.get(at).map(u8::to_ascii_uppercase) {
            Some(b'B') => 2,
            Some(b'H') => 16,
            _ => 8,
        };
        at += usize::from(base != 8);
    }
    if !BASES.contains(&base) {
        return (Reading::Illegal, 0);
    }
    let digits = &text[at..];
    // All that looks like a digit belongs to the number, so that 19 in base 8 is an error and not the number 1.
    let end =
        digits.iter().take_while(|b| b.is_ascii_digit() || digit(**b).is_some_and(|d| d < base)).count();
    if end == 0 {
        return (Reading::Nothing, 0);
    }
    let mut value: i64 = 0;
    for byte in &digits[..end] {
        match digit(*byte).filter(|d| *d < base) {
            Some(digit) => value = (value * i64::from(base) + i64::from(digit)).min(1 << 40),
            None => return (Reading::Illegal, at + end),
        }
    }
    let limit = if base == 10 { (1i64 << (bits - 1)) - i64::from(sign > 0) } else { (1i64 << bits) - 1 };
    let reading = match value <= limit {
        true if bits == 16 => Reading::Number(i32::from((sign * value) as i16)),
        true => Reading::Number((sign * value) as i32),
        false => Reading::Illegal,
    };
    (reading, at + end)
}

/// Writes an unsigned number with `width` digits, zeros in front; the front digits of one too long are left out.
pub(crate) fn write(value: u32, base: u32, width: usize) -> Vec<u8> {
    let mut digits = vec![b'0'; width];
    let mut value = value;
    for place in digits.iter_mut().rev() {
        *place = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(value % base) as usize];
        value /= base;
    }
    digits
}

fn digit(byte: u8) -> Option<u32> {
    (byte as char).to_digit(36)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // A number read in the wrong base is a wrong amount.
    #[test]
    fn forms_of_numbers() {
        for (text, base, result, length) in [
            ("123 ", 10, Reading::Number(123), 3),
            ("-32768", 10, Reading::Number(-32768), 6),
            ("+5,", 10, Reading::Number(5), 2),
            ("%17", 10, Reading::Number(15), 3),
            ("%b101", 10, Reading::Number(5), 5),
            ("%HFFFF", 10, Reading::Number(-1), 6),
            ("177777", 8, Reading::Number(-1), 6),
            ("32768", 10, Reading::Illegal, 5),
            ("19", 8, Reading::Illegal, 2),
            ("", 10, Reading::Nothing, 0),
            ("x", 10, Reading::Nothing, 0),
            ("-", 10, Reading::Nothing, 0),
            ("99999999999999999999", 10, Reading::Illegal, 20),
            ("1", 1, Reading::Illegal, 0),
        ] {
            assert_eq!(read(text.as_bytes(), base, 16), (result, length), "{text}");
        }
        assert_eq!(read(b"-2147483648", 10, 32), (Reading::Number(i32::MIN), 11));
        assert_eq!(read(b"2147483648", 10, 32).0, Reading::Illegal);
    }

    #[test]
    fn digits_are_filled_and_cut_at_the_front() {
        assert_eq!(write(123, 10, 5), b"00123");
        assert_eq!(write(12345, 10, 3), b"345");
        assert_eq!(write(0xffff, 16, 4), b"FFFF");
        assert_eq!(write(7, 10, 0), b"");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(value: u16, base in 2u32..=36) {
            let digits = write(u32::from(value), base, 16);
            let expected = Reading::Number(i32::from(value as i16));
            if base != 10 || value < 0x8000 {
                prop_assert_eq!(read(&digits, base, 16), (expected, 16));
            }
        }

        #[test]
        fn any_text_has_an_answer(text: Vec<u8>, base: u32, wide: bool) {
            let (_, length) = read(&text, base, if wide { 32 } else { 16 });
            prop_assert!(length <= text.len());
        }
    }
}
