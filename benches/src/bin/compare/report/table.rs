//! A table in Markdown whose columns are aligned.

/// A column, and how it reads its cell of an item.
pub(super) struct Column<T> {
    pub(super) heading: String,
    pub(super) is_number: bool,
    pub(super) cell: fn(&T) -> String,
}

impl<T> Column<T> {
    pub(super) fn text(heading: impl Into<String>, cell: fn(&T) -> String) -> Self {
        Self { heading: heading.into(), is_number: false, cell }
    }

    /// A column that stands to the right.
    pub(super) fn number(heading: impl Into<String>, cell: fn(&T) -> String) -> Self {
        Self { heading: heading.into(), is_number: true, cell }
    }
}

/// Writes the headings, then a line for each item.
pub(super) fn markdown<T>(columns: &[Column<T>], items: &[T]) -> String {
    let headings = columns.iter().map(|column| column.heading.clone()).collect();
    let cells = items.iter().map(|item| columns.iter().map(|column| (column.cell)(item)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(cells).collect();
    let width =
        |index: usize| lines.iter().filter_map(|line| line.get(index)).map(|cell| cell.chars().count()).max();
    let formats: Vec<(usize, bool)> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| (width(index).unwrap_or_default(), column.is_number))
        .collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, (width, is_number)) in line.iter().zip(&formats) {
            text += &if *is_number { format!("| {cell:>width$} ") } else { format!("| {cell:<width$} ") };
        }
        text += "|\n";
        if index == 0 {
            for (width, is_number) in &formats {
                text += &format!("|{}{}", "-".repeat(width + 1), if *is_number { ":" } else { "-" });
            }
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let cell = |item: &&str| (*item).to_owned();
        let text = markdown(&[Column::number("µs", cell), Column::text("µs", cell)], &["1,234", "5"]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            ["|    µs | µs    |", "|------:|-------|", "| 1,234 | 1,234 |", "|     5 | 5     |"]
        );
    }
}
