//! Glob patterns as in KEYS and SCAN: `*`, `?`, `[a-z]`, `[^a]` and `\` to quote.

/// Whether the whole `text` fits `pattern`.
///
/// Goes back only to the last `*`: the time is at most the product of the lengths, so that no pattern
/// can hang the server.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if at_pattern < pattern.len() && pattern[at_pattern] == b'*' {
            at_pattern += 1;
            retry = Some((at_pattern, at_text));
            continue;
        }
        if at_text == text.len() {
            return at_pattern == pattern.len();
        }
        if let Some(length) = match_one(&pattern[at_pattern..], text[at_text]) {
            at_pattern += length;
            at_text += 1;
        } else if let Some((after_star, from)) = retry {
            at_pattern = after_star;
            at_text = from + 1;
            retry = Some((after_star, at_text));
        } else {
            return false;
        }
    }
}

/// Length of the first element of `pattern` if it fits `byte`.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match_class(rest, byte).map(|length| length + 1),
        [b'\\', quoted, ..] => (*quoted == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// As `match_one`, after the opening bracket. A class that is never closed ends with the pattern.
fn match_class(pattern: &[u8], byte: u8) -> Option<usize> {
    let is_negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(is_negated);
    let mut is_member = false;
    loop {
        match &pattern[at..] {
            [] => break,
            [b'\\', quoted, ..] => {
                is_member |= *quoted == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                is_member |= (*from.min(to)..=*from.max(to)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                is_member |= *literal == byte;
                at += 1;
            }
        }
    }
    (is_member != is_negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    /// If this fails, KEYS and SCAN MATCH return other keys than Redis.
    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "anything", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeello", true),
            ("*llo*world", "hello, my world", true),
            ("*a*b", "aXbXc", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h\\*llo", "h*llo", true),
            ("h\\*llo", "hello", false),
            ("[\\]]", "]", true),
            ("a[b", "ab", true),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    /// If this fails, one KEYS command can stop the server for minutes.
    #[test]
    fn a_pattern_of_many_stars_ends() {
        let pattern = b"*a".repeat(200);
        assert!(!matches(&pattern, &[b'b'; 5_000]));
    }
}
