//! The procedure table as types: what `procedures.toml` says, checked.
//!
//! Everything that knows the shape of a procedure is made from here: C headers, entry points, the reference page. So
//! the shape is written once, and a caller's view and the library's view of a call cannot differ.
//!
//! What the table promises to those who generate from it:
//! * names are unique, and parameter names are unique within a procedure and are identifiers of C and of Rust;
//! * a procedure has at most [`PARAMETERS_MAX`] parameters, so a presence mask is one 64-bit number;
//! * every status but `full` has a note that says why.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;

/// Parameters of one procedure: the bits of the presence mask.
pub const PARAMETERS_MAX: usize = 64;

/// The table that is built in.
const SOURCE: &str = concat!(include_str!("../procedures.toml"), "\n", include_str!("../sockets.toml"));

/// The procedures, in the order of the reference page.
#[derive(Debug, Clone)]
pub struct Table {
    procedures: Vec<Procedure>,
}

/// One procedure.
#[derive(Debug, Clone)]
pub struct Procedure {
    /// As a program writes it.
    pub name: String,
    /// What a call gives.
    pub result: ResultKind,
    /// The C type of the result, where the kind of result leaves it open or it is narrower.
    pub c_result: Option<String>,
    /// What a call gives when a required parameter is missing; only where the result has a meaning of its own.
    pub missing: Option<i16>,
    /// The header that declares it, without `.h`.
    pub header: String,
    /// True if the C library has a function of this name: the linker knows the one here by another name, so that only
    /// programs with our declaration call it.
    pub has_own_symbol: bool,
    /// From where it can be called.
    pub language: Language,
    /// Whether it is provided.
    pub status: Status,
    /// What is missing, or why it is not provided; empty if the status is full.
    pub note: String,
    /// Where the manuals describe it.
    pub manual: String,
    /// None: the parameters do not matter, since no call is possible.
    pub parameters: Option<Vec<Parameter>>,
}

/// One parameter as C sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its place as TAL counts: `NAME:LENGTH` is one. An error detail names it.
    pub number: u16,
    /// In lower snake case.
    pub name: String,
    /// How it is passed.
    pub kind: Kind,
    /// True if a call without it is an error.
    pub required: bool,
    /// True if it is given exactly when the parameter before it is given.
    pub follows: bool,
    /// The C type, where it is narrower than the one of the kind.
    pub c_type: Option<String>,
}

/// How a parameter is passed; the comments give the C type of a value or pointer that a program passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `short`
    I16,
    /// `unsigned short`
    U16,
    /// `int`
    I32,
    /// `long long`
    I64,
    /// `long`
    Long,
    /// `const char *` beside a length
    Name,
    /// `const char *` up to a null byte
    Text,
    /// `const void *`
    Input,
    /// `void *`
    Output,
    /// `short *`: a 16-bit result, or an array of them
    Words,
    /// A pointer to a number, passed with the size of that number. Here the bytes the prototype names.
    Sized(u8),
    /// As [`Kind::Sized`] for an address: a variable that holds pointers counts with its own size, whatever it was
    /// cast to.
    Address(u8),
    /// `FILE *`
    Stream,
}

/// What a call gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultKind {
    /// 16 bits: 0 or an error number.
    Error,
    /// 16 bits with a meaning of its own.
    Int16,
    /// A condition code.
    Cc,
    /// Nothing.
    Void,
    /// 32 bits.
    Int32,
    /// 64 bits.
    Int64,
    /// C `long`.
    Long,
    /// `FILE *`.
    Stream,
    /// Any other pointer, null if there is none.
    Pointer,
}

/// From where a procedure can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C.
    #[default]
    C,
    /// TAL only: named in the reference, nowhere else.
    Tal,
}

/// Whether a procedure is provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All of it.
    Full,
    /// Callable; the note says what is missing.
    Partial,
    /// Not yet; a call is a compile error.
    Planned,
    /// Not, and the note says why; a call is a compile error.
    Unsupported,
}

/// Why a table is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError(String);

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "procedure table: {}", self.0)
    }
}

impl std::error::Error for TableError {}

impl Table {
    /// The table that is built in.
    ///
    /// # Panics
    /// If the built-in table is wrong, which a test of this crate rules out.
    #[must_use]
    pub fn built_in() -> Self {
        Self::parse(SOURCE).expect("the built-in table is checked by a test")
    }

    /// Reads a table.
    ///
    /// # Errors
    /// If it does not keep what the module promises; the text names the procedure.
    pub fn parse(source: &str) -> Result<Self, TableError> {
        let file: TableFile = toml::from_str(source).map_err(|error| TableError(error.to_string()))?;
        let mut names = BTreeSet::new();
        let mut procedures = Vec::with_capacity(file.procedure.len());
        for row in file.procedure {
            let name = row.name.clone();
            if !is_identifier(&name) {
                return Err(TableError(format!("{name:?} is not a name of C")));
            }
            if !names.insert(name.clone()) {
                return Err(TableError(format!("{name} is there twice")));
            }
            procedures.push(row.check().map_err(|error| TableError(format!("{name}: {error}")))?);
        }
        Ok(Self { procedures })
    }

    /// Every procedure, in the order of the reference page.
    pub fn procedures(&self) -> impl Iterator<Item = &Procedure> {
        self.procedures.iter()
    }

    /// The procedures that the run-time library provides to C: those that need an entry point.
    pub fn provided(&self) -> impl Iterator<Item = &Procedure> {
        self.procedures.iter().filter(|procedure| procedure.is_provided())
    }

    /// The procedures that a header declares.
    pub fn of_header<'a>(&'a self, header: &'a str) -> impl Iterator<Item = &'a Procedure> {
        self.procedures
            .iter()
            .filter(move |procedure| procedure.header == header && procedure.language == Language::C)
    }

    /// Looks a procedure up by name; case matters, as in C.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Procedure> {
        self.procedures.iter().find(|procedure| procedure.name == name)
    }
}

impl Procedure {
    /// True if C programs can call it.
    #[must_use]
    pub fn is_provided(&self) -> bool {
        self.language == Language::C && matches!(self.status, Status::Full | Status::Partial)
    }

    /// True if a call may leave a parameter out.
    #[must_use]
    pub fn is_extensible(&self) -> bool {
        self.list().iter().any(|parameter| !parameter.required)
    }

    /// The parameters; none if they do not matter.
    #[must_use]
    pub fn list(&self) -> &[Parameter] {
        self.parameters.as_deref().unwrap_or_default()
    }

    /// The places in the parameter list that are given all or not at all, two or more each.
    #[must_use]
    pub fn groups(&self) -> Vec<Range<usize>> {
        let list = self.list();
        let mut groups = Vec::new();
        let mut start = 0;
        while start < list.len() {
            let end = (start + 1..list.len()).find(|&at| !list[at].follows).unwrap_or(list.len());
            if end - start > 1 {
                groups.push(start..end);
            }
            start = end;
        }
        groups
    }

    /// The name that the linker knows.
    #[must_use]
    pub fn symbol(&self) -> String {
        if self.has_own_symbol { format!("pollux_{}", self.name) } else { self.name.clone() }
    }

    /// What a call gives when parameter `number` is missing: 29, unless the result has a meaning of its own.
    #[must_use]
    pub fn missing_result(&self) -> i16 {
        /// FEMISSPARM.
        const PARAMETER_MISSING: i16 = 29;
        self.missing.unwrap_or(PARAMETER_MISSING)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Planned => "planned",
            Self::Unsupported => "unsupported",
        })
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    procedure: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    result: ResultKind,
    c_result: Option<String>,
    missing: Option<i16>,
    #[serde(default = "header_default")]
    header: String,
    #[serde(default)]
    own_symbol: bool,
    #[serde(default)]
    lang: Language,
    status: Status,
    #[serde(default)]
    note: String,
    manual: String,
    parameters: String,
}

fn header_default() -> String {
    "cextdecs".to_owned()
}

impl Row {
    fn check(self) -> Result<Procedure, String> {
        if (self.status == Status::Full) != self.note.is_empty() {
            return Err("a note belongs to every status but full".to_owned());
        }
        if self.result == ResultKind::Int16 && self.missing.is_none() && self.lang == Language::C {
            let is_called = matches!(self.status, Status::Full | Status::Partial);
            if is_called {
                return Err("`missing` says what a missing parameter gives".to_owned());
            }
        }
        if self.result == ResultKind::Pointer && self.c_result.is_none() {
            return Err("`c_result` says what a pointer points to".to_owned());
        }
        let parameters = match self.parameters.trim() {
            "..." => None,
            text => Some(parameters(text)?),
        };
        let procedure = Procedure {
            name: self.name,
            result: self.result,
            c_result: self.c_result,
            missing: self.missing,
            header: self.header,
            has_own_symbol: self.own_symbol,
            language: self.lang,
            status: self.status,
            note: self.note,
            manual: self.manual,
            parameters,
        };
        if procedure.is_provided() && procedure.parameters.is_none() {
            return Err("a procedure that can be called has a parameter list".to_owned());
        }
        Ok(procedure)
    }
}

fn parameters(text: &str) -> Result<Vec<Parameter>, String> {
    let mut list: Vec<Parameter> = Vec::new();
    for line in text.lines() {
        let parameter = parameter(line, list.last()).map_err(|error| format!("{line:?}: {error}"))?;
        if list.iter().any(|earlier| earlier.name == parameter.name) {
            return Err(format!("{} is there twice", parameter.name));
        }
        let number_before = list.last().map_or(0, |before| before.number);
        if parameter.number < number_before || parameter.number > number_before + 1 {
            return Err(format!("{}: numbers go up by one", parameter.name));
        }
        list.push(parameter);
    }
    if list.len() > PARAMETERS_MAX {
        return Err(format!("more than {PARAMETERS_MAX} parameters"));
    }
    Ok(list)
}

/// One line: `NUMBER NAME KIND`, with `[NAME]`, `+ NAME` and `as TYPE`.
fn parameter(line: &str, before: Option<&Parameter>) -> Result<Parameter, String> {
    let (text, c_type) = match line.split_once(" as ") {
        Some((text, c_type)) => (text, Some(c_type.trim().to_owned())),
        None => (line, None),
    };
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let follows = words.get(1) == Some(&"+");
    if follows {
        words.remove(1);
    }
    let [number, name, kind] = words.as_slice() else {
        return Err("expected NUMBER NAME KIND".to_owned());
    };
    let number = number.parse().map_err(|_| "a parameter line begins with its number".to_owned())?;
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name = bracketed.unwrap_or(name);
    let is_plain =
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_identifier(name) || !is_plain || KEYWORDS.contains(&name) {
        return Err("a parameter name is in lower snake case and no keyword".to_owned());
    }
    let required = match (follows, before) {
        (true, Some(before)) => before.required,
        (true, None) => return Err("+ needs a parameter before it".to_owned()),
        (false, _) => bracketed.is_none(),
    };
    let kind = Kind::parse(kind).ok_or("unknown kind")?;
    Ok(Parameter { number, name: name.to_owned(), kind, required, follows, c_type })
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "i16" => Self::I16,
            "u16" => Self::U16,
            "i32" => Self::I32,
            "i64" => Self::I64,
            "long" => Self::Long,
            "name" => Self::Name,
            "text" => Self::Text,
            "input" => Self::Input,
            "output" => Self::Output,
            "words" => Self::Words,
            "sized16" => Self::Sized(2),
            "sized32" => Self::Sized(4),
            "sized64" => Self::Sized(8),
            "address32" => Self::Address(4),
            "address64" => Self::Address(8),
            "stream" => Self::Stream,
            _ => return None,
        })
    }
}

/// Words that are names in neither C nor Rust and would otherwise look like good parameter names.
const KEYWORDS: [&str; 12] =
    ["type", "static", "const", "ref", "struct", "enum", "in", "match", "move", "int", "short", "present"];

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
