//! What text for people is made of: words that cannot disturb a terminal,
//! columns, and lines that end before the edge.

use anstyle::{AnsiColor, Style};

/// Text for people is at most this wide, except where a name is longer.
pub const WIDTH: usize = 80;

/// For headings.
pub const BOLD: Style = Style::new().bold();
/// For what does harm.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// For what may do harm.
pub const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// For what is well.
pub const GREEN: Style = AnsiColor::Green.on_default().bold();

/// `text` in a style.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The same word with control characters escaped: names come from files, and an
/// escape sequence in one could rewrite what a terminal shows.
pub fn clean(word: &str) -> String {
    if !word.chars().any(char::is_control) {
        return word.to_owned();
    }
    word.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

/// A number with its noun.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The word cut to so many characters, with `…` for the rest.
pub fn shortened(word: &str, most: usize) -> String {
    let word = clean(word);
    if word.chars().count() <= most {
        return word;
    }
    let mut short: String = word.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `text` in lines of at most [`WIDTH`], each with `indent` before it; only a
/// word that is longer by itself goes beyond. The first line begins with `lead`
/// in place of the indent, which must be as long.
pub fn wrapped(lead: &str, indent: &str, text: &str) -> String {
    let mut out = String::new();
    let mut line = lead.to_owned();
    let mut empty = true;
    for word in clean(text).split_whitespace() {
        let needed = usize::from(!empty) + word.chars().count();
        if !empty && line.chars().count() + needed > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            indent.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
    out
}

/// Left-aligned columns, two spaces apart, as kubectl prints them. The last
/// column has no padding.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// With a first row of headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut columns = Self::default();
        columns.row(headings);
        columns
    }

    /// Adds a row; empty cells become `-`.
    pub fn row(&mut self, cells: &[impl AsRef<str>]) {
        let cells = cells.iter().map(|cell| match cell.as_ref() {
            "" => "-".to_owned(),
            cell => clean(cell),
        });
        self.rows.push(cells.collect());
    }

    /// All rows, each with `indent` before it.
    pub fn render(&self, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let padding = width - cell.chars().count() + 2;
                line.extend(std::iter::repeat_n(' ', padding));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// `1 disk`, `2 disks`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_in_a_name_is_shown_and_not_obeyed() {
        assert_eq!(clean("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(shortened("ab\u{7}", 4), "ab\\…");
        assert_eq!(shortened("äöüß", 4), "äöüß");
    }

    #[test]
    fn lines_end_before_the_edge() {
        let text = wrapped("- ", "  ", &"word ".repeat(50));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(text.starts_with("- word"));
        assert_eq!(text.split_whitespace().count(), 51);
        let long = "x".repeat(100);
        assert_eq!(wrapped("  ", "  ", &long), format!("  {long}\n"));
        assert_eq!(wrapped("  ", "  ", ""), "\n");
    }

    #[test]
    fn columns_line_up_and_end_without_spaces() {
        let mut columns = Columns::new(&["A", "BB"]);
        columns.row(&["xyz", ""]);
        assert_eq!(columns.render(" "), " A    BB\n xyz  -\n");
    }
}
