//! Just enough of C's tokens to find directives, braces and keywords without being fooled by comments and strings.
//!
//! Any bytes are accepted, in any encoding. The tokens cover the text without gaps, so the text is what their
//! concatenation gives: a pass that changes one token cannot lose a line elsewhere.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Blanks, and a backslash before the end of a line together with that end.
    Blank,
    /// The end of a line.
    Newline,
    /// With its end of line if it is a block that has one inside; never with the one that ends a `//` comment.
    Comment,
    /// An identifier or keyword.
    Word,
    /// A number as the preprocessor sees it.
    Number,
    /// A string.
    Text,
    /// A character constant.
    Character,
    /// Anything else; `##`, `->` and `...` are one token.
    Punctuation,
}

/// A token and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

impl Token {
    /// True if a compiler would not see it.
    pub(crate) fn is_space(&self) -> bool {
        matches!(self.kind, Kind::Blank | Kind::Newline | Kind::Comment)
    }
}

/// The tokens of a text.
pub(crate) fn tokens(text: &[u8]) -> Vec<Token> {
    let mut list = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (kind, end) = next(text, at);
        debug_assert!(end > at);
        list.push(Token { kind, span: at..end });
        at = end;
    }
    list
}

fn next(text: &[u8], at: usize) -> (Kind, usize) {
    let rest = &text[at..];
    match rest[0] {
        b'\n' => (Kind::Newline, at + 1),
        b'\\' if rest.get(1) == Some(&b'\n') => (Kind::Blank, at + 2),
        byte if is_blank(byte) => (Kind::Blank, at + count(rest, is_blank)),
        b'/' if rest.get(1) == Some(&b'/') => (Kind::Comment, line_comment(text, at + 2)),
        b'/' if rest.get(1) == Some(&b'*') => (Kind::Comment, block_comment(text, at + 2)),
        b'"' => (Kind::Text, quoted(text, at + 1, b'"')),
        b'\'' => (Kind::Character, quoted(text, at + 1, b'\'')),
        byte if is_word(byte) && !byte.is_ascii_digit() => (Kind::Word, at + count(rest, is_word)),
        byte if byte.is_ascii_digit() => {
            (Kind::Number, at + count(rest, |byte| is_word(byte) || byte == b'.'))
        }
        b'#' if rest.get(1) == Some(&b'#') => (Kind::Punctuation, at + 2),
        b'-' if rest.get(1) == Some(&b'>') => (Kind::Punctuation, at + 2),
        b'.' if rest.starts_with(b"...") => (Kind::Punctuation, at + 3),
        _ => (Kind::Punctuation, at + 1),
    }
}

fn count(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|&byte| !holds(byte)).unwrap_or(text.len())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// Letters, digits, and bytes of other encodings: what is not ASCII belongs to the word it stands in.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Up to the end of the line, which a backslash moves on.
fn line_comment(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'\n' {
        at += if text[at] == b'\\' && text.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
    }
    at
}

fn block_comment(text: &[u8], at: usize) -> usize {
    let end = text[at..].windows(2).position(|two| two == b"*/");
    end.map_or(text.len(), |offset| at + offset + 2)
}

/// Up to the closing quote; a quote that is never closed ends with its line.
fn quoted(text: &[u8], mut at: usize, quote: u8) -> usize {
    while at < text.len() {
        match text[at] {
            byte if byte == quote => return at + 1,
            b'\n' => return at,
            b'\\' => at = (at + 2).min(text.len()),
            _ => at += 1,
        }
    }
    at
}
