//! Sources and command lines of `pollux cc`, for the fuzz targets. Behind the feature `fuzz`; no product calls it.

use super::extensible::Declared;
use super::layout::LongMode;
use super::options::Options;
use super::prepass::{Include, Surroundings, Wanted, newlines, rewrite};
use std::fmt::Write as _;

/// Answers as a driver with every header would.
#[derive(Default)]
struct Echo {
    declared: Vec<String>,
}

impl Surroundings for Echo {
    fn include(&mut self, include: &Include) -> String {
        let mut text = format!("<{}", include.name);
        for section in &include.sections {
            let _ = write!(text, "+{section}");
        }
        text + ">"
    }

    fn pragma(&mut self, _line: usize, _text: &str) {}

    fn is_extensible(&self, name: &str) -> bool {
        name == "marked" || self.declared.iter().any(|known| known == name)
    }

    fn extensible(&mut self, name: &str, _parameters: usize) -> Declared {
        self.declared.push(name.to_owned());
        if name == "READX" { Declared::Procedure } else { Declared::Own }
    }
}

/// Any bytes as a source: the pre-pass keeps the number of lines, so that the compiler's messages are about the right ones. The
/// first byte chooses what is wanted of the text.
pub fn prepass(bytes: &[u8]) {
    let Some((&choice, text)) = bytes.split_first() else { return };
    let long = [LongMode::Auto, LongMode::Always32, LongMode::Always64][usize::from(choice) % 3];
    let sections = (choice & 4 != 0).then(|| vec!["A".to_owned()]);
    let columns = (choice & 8 != 0).then_some(usize::from(choice >> 4));
    let result = rewrite(text, &Wanted { sections, long, columns }, &mut Echo::default());
    assert_eq!(newlines(&result), newlines(text));
}

/// The arguments, one a line.
pub fn arguments(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let arguments: Vec<String> = text.lines().map(str::to_owned).collect();
    let _ = Options::parse(&arguments);
}
