//! Functions of the program whose arguments may be left out: `_extensible`, `_variable`, `#pragma function`.
//!
//! ```text
//! _extensible int f(short a, char *b);      int px_f(unsigned long long px_present, short a, char *b);
//! _extensible int f(short a, char *b) {     int px_f(unsigned long long px_present, short a, char *b) { enum { .. };
//! ```
//!
//! A call is a macro's business, as for procedures: `#define f(...)` stands at the head of the copy, where it cannot move
//! lines. `_arg_present(b)` looks at the bit of `b`, whose number the `enum` at the beginning of the body says.
//!
//! Limits: prototypes only, no parameter lists in the old style; the first declarator of a declaration; such a function has
//! no address.

use super::lex::Kind;
use super::prepass::{Pieces, Surroundings};

/// What to do with a declaration of a function whose arguments may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    /// It is the program's own: it gets a mask.
    Own,
    /// It is a procedure: the header's declaration takes the place of this one.
    Procedure,
}

/// Words that make a function extensible.
const KEYWORDS: [&[u8]; 2] = [b"_extensible", b"_variable"];
/// Words that have parentheses and are no function.
const NOT_NAMES: [&[u8]; 4] = [b"_alias", b"__attribute__", b"__asm__", b"_Pragma"];
/// Parameters beyond the bits of the mask: such a function is left alone.
const PARAMETERS_MAX: usize = 64;

/// Follows the declarations at file scope.
#[derive(Default)]
pub(crate) struct Extensible {
    braces: usize,
    parentheses: usize,
    /// True for each open brace of `extern "C" {`, where file scope goes on.
    linkage: Vec<bool>,
    /// The tokens of the declaration that is being read.
    declaration: Vec<usize>,
}

impl Extensible {
    /// Looks at a token that the compiler sees, outside of directives.
    pub(crate) fn see(&mut self, pieces: &mut Pieces<'_>, at: usize, surroundings: &mut dyn Surroundings) {
        let text = pieces.of(at);
        match text {
            b"{" => {
                let is_linkage = matches!(self.declaration[..], [first, second]
                    if pieces.of(first) == b"extern" && pieces.tokens[second].kind == Kind::Text);
                if self.braces == 0 && !is_linkage {
                    self.declared(pieces, at, surroundings);
                }
                self.linkage.push(is_linkage);
                self.braces += usize::from(!is_linkage);
                self.declaration.clear();
            }
            b"}" => {
                let was_linkage = self.linkage.pop().unwrap_or(true);
                self.braces -= usize::from(!was_linkage);
                self.declaration.clear();
            }
            b";" if self.braces == 0 && self.parentheses == 0 => {
                self.declared(pieces, at, surroundings);
                self.declaration.clear();
            }
            _ if self.braces > 0 => {}
            _ => {
                match text {
                    b"(" => self.parentheses += 1,
                    b")" => self.parentheses = self.parentheses.saturating_sub(1),
                    _ => {}
                }
                self.declaration.push(at);
            }
        }
    }

    /// A declaration, or the head of a definition, is whole; `end` is its semicolon or brace.
    fn declared(&self, pieces: &mut Pieces<'_>, end: usize, surroundings: &mut dyn Surroundings) {
        let Some(function) = Function::find(pieces, &self.declaration) else { return };
        let name = String::from_utf8_lossy(pieces.of(function.name)).into_owned();
        let has_keyword = self.declaration.iter().any(|&at| KEYWORDS.contains(&pieces.of(at)));
        let count = function.parameters.len();
        if count == 0 || count > PARAMETERS_MAX || !(has_keyword || surroundings.is_extensible(&name)) {
            return;
        }
        let is_definition = pieces.of(end) == b"{";
        match surroundings.extensible(&name, count) {
            Declared::Procedure if is_definition => {}
            Declared::Procedure => {
                for at in self.declaration[0]..=end {
                    pieces.empty(at);
                }
            }
            Declared::Own => {
                pieces.replace(function.name, format!("px_{name}").into_bytes());
                pieces.behind(function.opening, "unsigned long long px_present __attribute__((unused)), ");
                if is_definition {
                    let names: Vec<String> =
                        function.parameters.iter().map(|name| format!("px_arg_{name}")).collect();
                    pieces.behind(end, &format!(" enum {{ {} }};", names.join(", ")));
                }
            }
        }
    }
}

/// A function's declarator.
struct Function {
    name: usize,
    opening: usize,
    /// Names of the parameters; made up for those without one.
    parameters: Vec<String>,
}

impl Function {
    fn find(pieces: &Pieces<'_>, declaration: &[usize]) -> Option<Self> {
        let is_name = |two: &[usize]| {
            let word = pieces.of(two[0]);
            pieces.tokens[two[0]].kind == Kind::Word
                && pieces.of(two[1]) == b"("
                && !NOT_NAMES.contains(&word)
                && word != b"void"
                && !is_type(pieces, two[0])
        };
        let place = declaration.windows(2).position(is_name)?;
        // A declaration that has no type in front of it is a macro's call.
        let (name, opening) = (declaration[place], declaration[place + 1]);
        if place == 0 {
            return None;
        }
        let (mut depth, mut parameters, mut parameter) = (0, Vec::new(), Vec::new());
        let mut rest = declaration[place + 1..].iter().copied();
        for at in rest.by_ref() {
            match pieces.of(at) {
                b"(" | b"[" => depth += 1,
                b")" | b"]" => depth -= 1,
                b"," if depth == 1 => {
                    parameters.push(std::mem::take(&mut parameter));
                    continue;
                }
                _ => {}
            }
            match depth {
                0 => break,
                _ if at != opening => parameter.push(at),
                _ => {}
            }
        }
        parameters.push(parameter);
        // Declarations of parameters behind the list: the old style.
        if depth != 0 || rest.clone().any(|at| pieces.of(at) == b";" || is_type(pieces, at)) {
            return None;
        }
        let is_void = |list: &Vec<usize>| matches!(list[..], [one] if pieces.of(one) == b"void");
        if parameters.len() == 1 && (parameters[0].is_empty() || is_void(&parameters[0])) {
            parameters.clear();
        }
        // `...` has no bit.
        if parameters.iter().flatten().any(|&at| pieces.of(at) == b"...") {
            return None;
        }
        let named = |(number, list): (usize, &Vec<usize>)| {
            parameter_name(pieces, list).unwrap_or_else(|| format!("{number}"))
        };
        let parameters = parameters.iter().enumerate().map(named).collect();
        Some(Self { name, opening, parameters })
    }
}

/// Words that begin the declaration of a parameter in the old style.
fn is_type(pieces: &Pieces<'_>, at: usize) -> bool {
    const TYPES: [&[u8]; 11] = [
        b"short",
        b"int",
        b"long",
        b"char",
        b"unsigned",
        b"signed",
        b"float",
        b"double",
        b"struct",
        b"union",
        b"const",
    ];
    TYPES.contains(&pieces.of(at))
}

/// The name of a parameter: the word in `(*name)` of a pointer to a function, else the last word before a bracket.
fn parameter_name(pieces: &Pieces<'_>, list: &[usize]) -> Option<String> {
    let pointer = list.windows(3).find(|three| {
        pieces.of(three[0]) == b"("
            && pieces.of(three[1]) == b"*"
            && pieces.tokens[three[2]].kind == Kind::Word
    });
    let end = list.iter().position(|&at| pieces.of(at) == b"[").unwrap_or(list.len());
    let last = list[..end].iter().rfind(|&&at| pieces.tokens[at].kind == Kind::Word);
    let at = *pointer.map(|three| &three[2]).or(last)?;
    // One word alone is a type.
    let words = list.iter().filter(|&&at| pieces.tokens[at].kind == Kind::Word).count();
    let has_name = pointer.is_some() || words > 1;
    has_name.then(|| String::from_utf8_lossy(pieces.of(at)).into_owned())
}

/// The macro of an extensible function.
pub(crate) fn macro_of(name: &str, parameters: usize) -> String {
    let names: Vec<String> = (0..parameters).map(|at| format!("p{at}")).collect();
    let bits: String = (0..parameters).map(|at| format!(" PX_B({at}, p{at})")).collect();
    let values: Vec<String> = (0..parameters).map(|at| format!("PX_V(p{at})")).collect();
    format!(
        "#define {name}(...) PXF_{name}(__VA_ARGS__{commas})\n\
         #define PXF_{name}({names}, ...) px_{name}((0ULL{bits}) + \
         PX_NO_MORE(\"too many arguments to {name}\", __VA_ARGS__), {values})\n",
        commas = ",".repeat(parameters),
        names = names.join(", "),
        values = values.join(", "),
    )
}

/// The function that `#pragma function NAME (extensible, ...)` makes extensible; `text` is what stands behind `function`.
pub(crate) fn of_pragma(text: &str) -> Option<String> {
    let (name, list) = text.trim().split_once('(')?;
    let words = list.split([',', ' ', '\t', '(', ')']);
    let is_so =
        words.into_iter().any(|word| matches!(word.to_ascii_lowercase().as_str(), "extensible" | "variable"));
    is_so.then(|| name.trim().to_owned())
}
