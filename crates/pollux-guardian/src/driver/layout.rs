//! `#pragma fieldalign`: the layout of structures that cross processes and files.
//!
//! The kinds `shared2` and `cshared2` align members to 2 bytes, which is gcc's `pack(2)`; `packed` would also remove
//! the byte before a 16-bit member. The other kinds are natural alignment here.
//!
//! * With tags: each declaration of one of them is put between `pack(push,2)` and `pack(pop)`, on its own lines.
//! * Without tags: for the rest of the text.
//!
//! A `long` in such a structure has 32 bits, because that is what the other side of the message or file has
//! ([`LongMode::Auto`]). Everywhere else it is the host's.
//!
//! Limits: tags are known in the file that has the pragma, and a brace that is opened in both branches of an `#if` counts
//! once.

use std::collections::BTreeSet;
use std::ops::Range;

use super::lex::Kind;
use super::prepass::Pieces;

/// What a plain `long` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LongMode {
    /// 32 bits in structures under `fieldalign shared2`, the host's elsewhere.
    #[default]
    Auto,
    /// 32 bits everywhere in the program's own text.
    Always32,
    /// The host's everywhere.
    Always64,
}

/// Follows braces and declarations through a text.
pub(crate) struct Layout {
    long: LongMode,
    tags: BTreeSet<Vec<u8>>,
    /// A pragma without tags is in force.
    all_packed: bool,
    nesting: Nesting,
    /// What `nesting` was where each open `#if` began.
    branches: Vec<Nesting>,
    /// The two tokens before the one that is looked at.
    before: [Option<usize>; 2],
}

#[derive(Clone, Default)]
struct Nesting {
    braces: Vec<Brace>,
    /// The first token of the declaration that is being read.
    declaration: Option<usize>,
    /// Depths at which a packed structure has been closed and its final semicolon is awaited.
    awaited: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Brace {
    /// A tagged structure that has a `pack(push)` of its own.
    pushed: bool,
    /// Members in here are packed.
    packed: bool,
}

const PUSH: &str = "_Pragma(\"pack(push,2)\") ";
const POP: &str = " _Pragma(\"pack(pop)\")";

impl Layout {
    pub(crate) fn new(long: LongMode) -> Self {
        Self {
            long,
            tags: BTreeSet::new(),
            all_packed: false,
            nesting: Nesting::default(),
            branches: Vec::new(),
            before: [None, None],
        }
    }

    /// True if a header included here would be packed.
    pub(crate) fn is_packed(&self) -> bool {
        self.all_packed || self.nesting.braces.iter().any(|brace| brace.pushed)
    }

    /// `#pragma fieldalign TEXT`; gives the directive to write, if it becomes one.
    pub(crate) fn pragma(&mut self, text: &str) -> Option<String> {
        let mut words = text.split([' ', '\t', ',', '(', ')']).filter(|word| !word.is_empty());
        let kind = words.next().unwrap_or_default().to_ascii_lowercase();
        let packs = matches!(kind.as_str(), "shared2" | "cshared2");
        let tags: Vec<Vec<u8>> = words.map(|word| word.as_bytes().to_vec()).collect();
        if tags.is_empty() {
            self.all_packed = packs;
            return Some(if packs { "#pragma pack(2)".to_owned() } else { "#pragma pack()".to_owned() });
        }
        for tag in tags {
            if packs {
                self.tags.insert(tag);
            } else {
                self.tags.remove(&tag);
            }
        }
        None
    }

    pub(crate) fn branch_begins(&mut self) {
        self.branches.push(self.nesting.clone());
    }

    pub(crate) fn branch_changes(&mut self) {
        if let Some(nesting) = self.branches.last() {
            self.nesting = nesting.clone();
        }
    }

    pub(crate) fn branch_ends(&mut self) {
        self.branches.pop();
    }

    /// Looks at a token that the compiler sees, outside of directives.
    pub(crate) fn see(&mut self, pieces: &mut Pieces<'_>, at: usize) {
        let text = pieces.of(at);
        if self.nesting.declaration.is_none() {
            self.nesting.declaration = Some(at);
        }
        match text {
            b"{" => self.open(pieces),
            b"}" => {
                if self.nesting.braces.pop().is_some_and(|brace| brace.pushed) {
                    self.nesting.awaited.push(self.nesting.braces.len());
                }
                self.nesting.declaration = None;
            }
            b";" => {
                while self.nesting.awaited.last() == Some(&self.nesting.braces.len()) {
                    self.nesting.awaited.pop();
                    pieces.behind(at, POP);
                }
                self.nesting.declaration = None;
            }
            b"long" => {
                let end = pieces.tokens.len();
                self.see_long(pieces, at, 0..end);
            }
            _ => {}
        }
        self.before = [Some(at), self.before[0]];
    }

    /// A text that ends before its last semicolon leaves nothing packed behind.
    pub(crate) fn finish(&mut self, pieces: &mut Pieces<'_>) {
        let open =
            self.nesting.awaited.len() + self.nesting.braces.iter().filter(|brace| brace.pushed).count();
        let last = pieces.tokens.iter().rposition(|token| !token.is_space() && token.kind != Kind::Newline);
        if let (Some(last), true) = (last, open > 0 && self.branches.is_empty()) {
            for _ in 0..open {
                pieces.behind(last, POP);
            }
        }
    }

    fn open(&mut self, pieces: &mut Pieces<'_>) {
        let word = |one: Option<usize>| one.map(|at| pieces.of(at)).unwrap_or_default();
        let is_structure = |text: &[u8]| matches!(text, b"struct" | b"union");
        let named = is_structure(word(self.before[1]));
        let is_any = named || is_structure(word(self.before[0]));
        let inside = self.nesting.braces.last().is_some_and(|brace| brace.packed);
        let pushed = named && self.tags.contains(word(self.before[0]));
        if pushed && let Some(start) = self.nesting.declaration {
            pieces.before(start, PUSH);
        }
        let packed = inside || pushed || (is_any && self.all_packed);
        self.nesting.braces.push(Brace { pushed, packed });
        self.nesting.declaration = None;
    }

    /// Looks at a word that may be `long`, within `range`.
    pub(crate) fn see_long(&self, pieces: &mut Pieces<'_>, at: usize, range: Range<usize>) {
        if pieces.of(at) != b"long" {
            return;
        }
        let shrinks = match self.long {
            LongMode::Always32 => true,
            LongMode::Always64 => false,
            LongMode::Auto => self.nesting.braces.last().is_some_and(|brace| brace.packed),
        };
        if !shrinks {
            return;
        }
        // The specifiers around it: `unsigned long int`, `long long`, `long double`.
        let mut around = Vec::new();
        for step in [1, -1] {
            let mut place = at as isize + step;
            while range.contains(&usize::try_from(place).unwrap_or(usize::MAX)) {
                let one = place as usize;
                place += step;
                if pieces.tokens[one].is_space() {
                    continue;
                }
                let text = pieces.of(one);
                if !SPECIFIERS.contains(&text) {
                    break;
                }
                around.push(text);
            }
        }
        if around.iter().any(|word| matches!(*word, b"long" | b"double")) {
            return;
        }
        pieces.replace_word(at, if around.contains(&&b"int"[..]) { "" } else { "int" });
    }
}

const SPECIFIERS: [&[u8]; 9] =
    [b"long", b"double", b"int", b"unsigned", b"signed", b"const", b"volatile", b"static", b"extern"];
