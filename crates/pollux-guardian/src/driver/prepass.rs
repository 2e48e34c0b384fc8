//! The pre-pass: one source text in, the text that gcc can read out.
//!
//! What no preprocessor accepts is rewritten here, and nothing else; call sites are the macros' business. The number of
//! lines is kept, whatever the bytes are, so that every message of the compiler is about the programmer's own line.
//!
//! | In the source | In the copy |
//! | --- | --- |
//! | `#include <name (SECTIONS)> nolist` | an include of what [`Surroundings::include`] finds |
//! | `#pragma fieldalign` | packing: [`super::layout`] |
//! | `#pragma mapinclude`, `ssvN`, `search`, `nostdfiles`, `columns` ... | taken note of: [`Surroundings::pragma`] |
//! | `##` beside `->` or `.` | nothing: older compilers accept it, gcc does not |
//! | declarations of functions that are `_extensible` | with a mask: [`super::extensible`] |
//! | `_c`, `_priv` before a declaration | blanks; names too short to be macros for every source |
//! | text outside the wanted sections, or beyond the last column | blanks, or nothing |
//! | CR | nothing |

use super::extensible::{Declared, Extensible};
use super::layout::{self, LongMode};
use super::lex::{Kind, Token, tokens};

/// An include line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Include {
    /// True for `"name"`, false for `<name>`.
    pub(crate) quoted: bool,
    /// Without the section list.
    pub(crate) name: String,
    /// What stood in parentheses behind the name.
    pub(crate) sections: Vec<String>,
    /// True if members are packed here by a pragma: a header of the system needs shelter from it.
    pub(crate) packed: bool,
    /// Where, counted from 1.
    pub(crate) line: usize,
}

/// What the pre-pass needs from outside of the text.
pub(crate) trait Surroundings {
    /// What to write behind `#include `, with its quotes.
    fn include(&mut self, include: &Include) -> String;
    /// A pragma that is not the pre-pass's own; `text` is what stands behind `#pragma`.
    fn pragma(&mut self, line: usize, text: &str);
    /// True if arguments of this function may be left out, as a pragma or an earlier declaration has said.
    fn is_extensible(&self, name: &str) -> bool;
    /// The program declares a function with so many parameters that may be left out.
    fn extensible(&mut self, name: &str, parameters: usize) -> Declared;
}

/// What is wanted of one text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// The only sections to keep.
    pub(crate) sections: Option<Vec<String>>,
    /// What a plain `long` becomes.
    pub(crate) long: LongMode,
    /// Text beyond this column is a comment, as `#pragma columns` says.
    pub(crate) columns: Option<usize>,
}

/// Rewrites one text.
pub(crate) fn rewrite(source: &[u8], wanted: &Wanted, surroundings: &mut dyn Surroundings) -> Vec<u8> {
    let mut text: Vec<u8> = source.iter().copied().filter(|&byte| byte != b'\r').collect();
    if let Some(sections) = &wanted.sections {
        keep_sections(&mut text, sections);
    }
    keep_columns(&mut text, wanted.columns);
    let tokens = tokens(&text);
    let mut pieces = Pieces::new(&text, &tokens);
    let mut layout = layout::Layout::new(wanted.long);
    let mut declarations = Declarations::default();
    let mut extensible = Extensible::default();
    let mut line = 1;
    let mut at = 0;
    let mut line_begins = true;
    while at < tokens.len() {
        let token = &tokens[at];
        if line_begins && token.kind == Kind::Punctuation && pieces.of(at) == b"#" {
            let end =
                (at..tokens.len()).find(|&one| tokens[one].kind == Kind::Newline).unwrap_or(tokens.len());
            directive(&mut pieces, at..end, line, &mut layout, surroundings);
            line += newlines(&text[tokens[at].span.start..tokens[end - 1].span.end]);
            at = end;
            continue;
        }
        match token.kind {
            Kind::Newline => line_begins = true,
            Kind::Blank | Kind::Comment => {}
            _ => {
                line_begins = false;
                declarations.see(&mut pieces, at);
                extensible.see(&mut pieces, at, surroundings);
                layout.see(&mut pieces, at);
            }
        }
        line += newlines(&text[token.span.clone()]);
        at += 1;
    }
    layout.finish(&mut pieces);
    pieces.join()
}

pub(super) fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// The text as pieces, one per token, that can be replaced.
pub(crate) struct Pieces<'a> {
    text: &'a [u8],
    pub(crate) tokens: &'a [Token],
    replaced: Vec<Option<Vec<u8>>>,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a [u8], tokens: &'a [Token]) -> Self {
        Self { text, tokens, replaced: vec![None; tokens.len()] }
    }

    /// The original text of a token.
    pub(crate) fn of(&self, at: usize) -> &'a [u8] {
        &self.text[self.tokens[at].span.clone()]
    }

    /// Replaces a token; the new text has as many lines as the old one.
    pub(crate) fn replace(&mut self, at: usize, text: Vec<u8>) {
        debug_assert_eq!(newlines(self.of(at)), newlines(&text));
        self.replaced[at] = Some(text);
    }

    /// Takes a token away, but for its lines.
    pub(crate) fn empty(&mut self, at: usize) {
        self.replaced[at] = Some(vec![b'\n'; newlines(self.of(at))]);
    }

    /// Replaces a word by another that takes no more room, so that columns are kept.
    pub(crate) fn replace_word(&mut self, at: usize, word: &str) {
        let width = self.of(at).len();
        self.replace(at, format!("{word:width$}").into_bytes());
    }

    /// Puts text before a token.
    pub(crate) fn before(&mut self, at: usize, text: &str) {
        let mut piece = text.as_bytes().to_vec();
        piece.extend(self.current(at));
        self.replaced[at] = Some(piece);
    }

    /// Puts text behind a token.
    pub(crate) fn behind(&mut self, at: usize, text: &str) {
        let mut piece = self.current(at);
        piece.extend(text.as_bytes());
        self.replaced[at] = Some(piece);
    }

    /// Replaces all of a directive by one line, and keeps its lines.
    fn replace_directive(&mut self, range: std::ops::Range<usize>, line: &str) {
        let lines: usize = range.clone().map(|at| newlines(self.of(at))).sum();
        // A line that goes on with a backslash and ends there is a line of the directive.
        let mut piece = line.as_bytes().to_vec();
        piece.extend(vec![b'\n'; lines]);
        for at in range.clone() {
            self.replaced[at] = Some(Vec::new());
        }
        self.replaced[range.start] = Some(piece);
    }

    fn current(&self, at: usize) -> Vec<u8> {
        self.replaced[at].clone().unwrap_or_else(|| self.of(at).to_vec())
    }

    fn join(self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text.len() + 64);
        for at in 0..self.tokens.len() {
            match &self.replaced[at] {
                Some(piece) => text.extend_from_slice(piece),
                None => text.extend_from_slice(self.of(at)),
            }
        }
        text
    }
}

fn directive(
    pieces: &mut Pieces<'_>,
    range: std::ops::Range<usize>,
    line: usize,
    layout: &mut layout::Layout,
    surroundings: &mut dyn Surroundings,
) {
    let visible: Vec<usize> = range.clone().filter(|&at| !pieces.tokens[at].is_space()).collect();
    let Some(&name) = visible.get(1) else { return };
    match pieces.of(name) {
        b"include" => {
            let text = spliced(pieces, name + 1..range.end);
            if let Some(mut include) = include(&text) {
                include.packed = layout.is_packed();
                include.line = line;
                let target = surroundings.include(&include);
                pieces.replace_directive(range, &format!("#include {target}"));
            }
        }
        b"define" => {
            paste_fixes(pieces, &visible);
            for &at in visible.iter().skip(3) {
                layout.see_long(pieces, at, range.clone());
            }
        }
        b"pragma" => {
            let text = spliced(pieces, name + 1..range.end);
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            if word_of(&text).eq_ignore_ascii_case("fieldalign") {
                if let Some(replacement) = layout.pragma(text["fieldalign".len()..].trim()) {
                    pieces.replace_directive(range, &replacement);
                }
            } else {
                surroundings.pragma(line, &text);
            }
        }
        b"if" | b"ifdef" | b"ifndef" => layout.branch_begins(),
        b"else" | b"elif" => layout.branch_changes(),
        b"endif" => layout.branch_ends(),
        _ => {}
    }
}

/// The text of some tokens with lines put together and comments taken out.
fn spliced(pieces: &Pieces<'_>, range: std::ops::Range<usize>) -> Vec<u8> {
    let mut text = Vec::new();
    for at in range {
        match pieces.tokens[at].kind {
            Kind::Comment | Kind::Newline => text.push(b' '),
            Kind::Blank => text.extend(
                pieces.of(at).iter().map(|&byte| if byte == b'\n' || byte == b'\\' { b' ' } else { byte }),
            ),
            // A string may go on over lines too: the quoted form of a long section list.
            _ => text.extend(pieces.of(at)),
        }
    }
    let mut joined = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' && text.get(at + 1) == Some(&b'\n') {
            at += 2;
        } else {
            joined.push(text[at]);
            at += 1;
        }
    }
    joined
}

/// The first word of a text.
pub(crate) fn word_of(text: &str) -> &str {
    let end =
        text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// Takes an include line apart: cut at the closing mark, then a final list in parentheses is the section list. None
/// if it is a macro or not text: such a line is left as it is.
fn include(text: &[u8]) -> Option<Include> {
    let text = std::str::from_utf8(text).ok()?.trim_start();
    let quoted = text.starts_with('"');
    let rest = text.strip_prefix(['"', '<'])?;
    let inside = &rest[..rest.find(if quoted { '"' } else { '>' })?];
    let (name, sections) = match inside.trim_end().strip_suffix(')').and_then(|list| list.split_once('(')) {
        Some((name, list)) => {
            let words = list.split([',', ' ', '\t']).filter(|word| !word.is_empty());
            (name, words.map(str::to_owned).collect())
        }
        None => (inside, Vec::new()),
    };
    let name = name.trim().to_owned();
    (!name.is_empty()).then_some(Include { quoted, name, sections, packed: false, line: 0 })
}

/// Takes `##` away where it would join something to a punctuation mark.
fn paste_fixes(pieces: &mut Pieces<'_>, visible: &[usize]) {
    const MARKS: [&[u8]; 4] = [b"->", b".", b"(", b")"];
    for three in visible.windows(3) {
        let [before, paste, after] = three else { continue };
        if pieces.of(*paste) == b"##"
            && (MARKS.contains(&pieces.of(*before)) || MARKS.contains(&pieces.of(*after)))
        {
            pieces.replace_word(*paste, "");
        }
    }
}

/// Takes `_c` and `_priv` out of declarations at file scope: outside of braces and parentheses, before a word.
#[derive(Default)]
struct Declarations {
    braces: usize,
    parentheses: usize,
    /// True for each open brace that belongs to `extern "C" {`, where file scope goes on.
    linkage: Vec<bool>,
    before: [Option<usize>; 2],
}

impl Declarations {
    fn see(&mut self, pieces: &mut Pieces<'_>, at: usize) {
        let text = pieces.of(at);
        match text {
            b"{" => {
                let is_linkage = self.before[0].is_some_and(|one| pieces.tokens[one].kind == Kind::Text)
                    && self.before[1].is_some_and(|one| pieces.of(one) == b"extern");
                self.linkage.push(is_linkage);
                self.braces += usize::from(!is_linkage);
            }
            b"}" => {
                let was_linkage = self.linkage.pop().unwrap_or(true);
                self.braces -= usize::from(!was_linkage);
            }
            b"(" => self.parentheses += 1,
            b")" => self.parentheses = self.parentheses.saturating_sub(1),
            b"_c" | b"_priv" if self.braces == 0 && self.parentheses == 0 => {
                let next = pieces.tokens[at + 1..].iter().find(|token| !token.is_space());
                if next.is_some_and(|token| token.kind == Kind::Word) {
                    pieces.replace_word(at, "");
                }
            }
            _ => {}
        }
        self.before = [Some(at), self.before[0]];
    }
}

/// Empties the lines outside of the sections that are wanted.
fn keep_sections(text: &mut Vec<u8>, sections: &[String]) {
    let mut kept = Vec::with_capacity(text.len());
    let mut wanted = false;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if let Some(name) = section_name(line) {
            wanted = sections.iter().any(|one| one.eq_ignore_ascii_case(&name));
        } else if wanted {
            kept.extend_from_slice(line);
            continue;
        }
        if line.ends_with(b"\n") {
            kept.push(b'\n');
        }
    }
    *text = kept;
}

/// The name in `#pragma section NAME`.
fn section_name(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(line);
    let rest = text.trim_start().strip_prefix('#')?.trim_start().strip_prefix("pragma")?;
    let rest = rest.trim_start();
    let word = word_of(rest);
    word.eq_ignore_ascii_case("section").then(|| word_of(rest[word.len()..].trim_start()).to_owned())
}

/// Cuts lines at the last column, from the option or from `#pragma columns N` on.
fn keep_columns(text: &mut Vec<u8>, option: Option<usize>) {
    const NAME: &[u8] = b"columns";
    if option.is_none() && !text.windows(NAME.len()).any(|window| window.eq_ignore_ascii_case(NAME)) {
        return;
    }
    let mut columns = option;
    let mut kept = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let (body, end) = match line.strip_suffix(b"\n") {
            Some(body) => (body, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        kept.extend_from_slice(&body[..body.len().min(columns.unwrap_or(usize::MAX))]);
        kept.extend_from_slice(end);
        if let Some(number) = columns_of(body) {
            columns = Some(number);
        }
    }
    *text = kept;
}

fn columns_of(line: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(line);
    let rest = text.trim_start().strip_prefix('#')?.trim_start().strip_prefix("pragma")?.trim_start();
    let word = word_of(rest);
    let is_columns = word.eq_ignore_ascii_case("columns");
    is_columns.then(|| word_of(rest[word.len()..].trim_start()).parse().ok().filter(|&number| number > 0))?
}

#[cfg(test)]
#[path = "prepass_tests.rs"]
mod tests;
