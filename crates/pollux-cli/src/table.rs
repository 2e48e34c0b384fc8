//! Aligned columns: what every listing of the command looks like.

use anstyle::Style;

use crate::output::{HEAD, styled};

/// One field of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// A field in a style.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Cell {
        Cell { text: text.into(), style: Some(style) }
    }

    /// A field for what is not there.
    pub(crate) fn none() -> Cell {
        Cell::from("-")
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.into(), style: None }
    }
}

/// A table under construction. Each column is as wide as its widest field; two spaces between columns; no spaces
/// at the end of a line, so that copied output stays clean.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
    headed: bool,
}

impl Table {
    /// A table with headings.
    pub(crate) fn headed(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|text| Cell::styled(*text, HEAD)).collect()], headed: true }
    }

    /// A table of rows only.
    pub(crate) fn bare() -> Table {
        Table::default()
    }

    /// Appends a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// True without rows; headings do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() <= usize::from(self.headed)
    }

    /// The lines, each with its end.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut padding = 0;
            for (cell, width) in row.iter().zip(&widths) {
                if cell.text.is_empty() {
                    padding += width + 2;
                    continue;
                }
                out.push_str(&" ".repeat(padding));
                match cell.style {
                    Some(style) => out.push_str(&styled(style, &cell.text)),
                    None => out.push_str(&cell.text),
                }
                padding = width - cell.text.chars().count() + 2;
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::GOOD;

    // Columns that do not line up make a listing of 16 CPUs unreadable.
    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let mut table = Table::headed(&["NAME", "ROLE", "CPU"]);
        assert!(table.is_empty());
        table.row(["$KV".into(), "primary".into(), "0".into()]);
        table.row(["$LONG1".into(), "".into(), "15".into()]);
        table.row([Cell::none(), "single".into(), "".into()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(plain, "NAME    ROLE     CPU\n$KV     primary  0\n$LONG1           15\n-       single\n");
        assert!(!table.is_empty());
    }

    // A colour code counted as width would shift the columns on terminals only, where nobody tests.
    #[test]
    fn colours_do_not_count_as_width() {
        let mut table = Table::bare();
        table.row([Cell::styled("up", GOOD), "x".into()]);
        table.row(["down".into(), "y".into()]);
        assert_eq!(table.render(), format!("{GOOD}up{GOOD:#}    x\ndown  y\n"));
    }
}
