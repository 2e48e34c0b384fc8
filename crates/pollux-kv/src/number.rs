//! Numbers as Redis reads and writes them.

use std::io::Write;

/// Reads a signed integer in its only canonical form: no sign `+`, no space, no leading zero.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !is_negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    // Nineteen digits fit in a u64, so only the sign decides whether the number fits in an i64.
    let mut magnitude = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if is_negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads a floating-point number; infinities by name only, never "not a number".
pub(crate) fn parse_double(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    // A number too large for the format reads as infinite; Redis refuses it.
    let is_overflow = number.is_infinite() && text.iter().any(u8::is_ascii_digit);
    (!number.is_nan() && !is_overflow).then_some(number)
}

/// Digits before `%g` changes to an exponent.
const DOUBLE_DIGITS_MAX: i32 = 17;

/// Appends a floating-point number: the fewest digits that read back the same, laid out as `%.17g`.
pub(crate) fn write_double(out: &mut Vec<u8>, number: f64) {
    if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    let is_small_integer = number.fract() == 0.0 && number.abs() < 1e15;
    if is_small_integer && (number != 0.0 || number.is_sign_positive()) {
        out.extend_from_slice(itoa::Buffer::new().format(number as i64).as_bytes());
        return;
    }
    // Rust prints the shortest digits as `d.ddde-x`; only the layout differs.
    let mut scientific = [0; 40];
    let mut rest = &mut scientific[..];
    write!(rest, "{number:e}").expect("a double in shortest form has at most 25 characters");
    let length = 40 - rest.len();
    let text = &scientific[..length];
    let mark = text.iter().position(|byte| *byte == b'e').expect("the format ends in an exponent");
    let exponent = parse_integer(&text[mark + 1..]).expect("an exponent is an integer") as i32;
    let (sign, mantissa) = match &text[..mark] {
        [b'-', mantissa @ ..] => (&b"-"[..], mantissa),
        mantissa => (&b""[..], mantissa),
    };
    let digits = mantissa.iter().copied().filter(|byte| *byte != b'.');
    let digits_count = mantissa.len() as i32 - i32::from(mantissa.len() > 1);
    out.extend_from_slice(sign);
    if (-4..DOUBLE_DIGITS_MAX).contains(&exponent) {
        if exponent < 0 {
            out.extend_from_slice(&b"0.0000"[..(1 - exponent) as usize]);
            out.extend(digits);
        } else {
            for (place, digit) in (0..).zip(digits) {
                if place == exponent + 1 {
                    out.push(b'.');
                }
                out.push(digit);
            }
            (digits_count..=exponent).for_each(|_| out.push(b'0'));
        }
    } else {
        out.extend_from_slice(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "e{sign}{:02}", exponent.abs()).expect("writing to memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(number: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    /// If this fails, counters at their limits answer wrongly.
    #[test]
    fn integers_are_read_in_canonical_form_only() {
        for number in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(parse_integer(number.to_string().as_bytes()), Some(number));
        }
        for text in
            ["", "-", "-0", "+1", "01", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"]
        {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    /// If this fails, clients see scores in a form that Redis does not print.
    #[test]
    fn doubles_are_laid_out_like_percent_g() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.25e20, "1.25e+20"),
            (1234567890123456.0, "1234567890123456"),
            (2.5e-300, "2.5e-300"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(written(number), text);
        }
        assert_eq!(parse_double(b"1e400"), None);
        assert_eq!(parse_double(b"nan"), None);
        assert_eq!(parse_double(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_double(b" 1"), None);
    }

    proptest! {
        /// If this fails, a score changes by being printed.
        #[test]
        fn doubles_read_back_the_same(number in any::<f64>().prop_filter("a score", |n| !n.is_nan())) {
            prop_assert_eq!(parse_double(written(number).as_bytes()).map(f64::to_bits), Some(number.to_bits()));
        }
    }
}
