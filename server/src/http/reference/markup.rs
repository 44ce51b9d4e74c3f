//! Text as HTML.

use afterlive_app::format::attribute;

/// Text that may stand between tags and in attributes.
pub(super) fn escaped(text: &str) -> String {
    attribute(text)
}

/// The same, with what stands between backticks as code.
pub(super) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }).collect()
}

/// A title as what a link can lead to.
pub(super) fn anchor(title: &str) -> String {
    title.to_lowercase().replace(|character: char| !character.is_ascii_alphanumeric(), "-")
}

/// What can be copied: as the app's own blocks of code. `label` stands above it, and `what` completes "Copy …" for who hears the button alone.
pub(super) fn code_block(label: &str, what: &str, text: &str) -> String {
    format!(
        "<div class=\"copy-block\"><div class=\"copy-head\"><span class=\"copy-label\">{}</span>\
         <button type=\"button\" class=\"copy-button\" aria-label=\"Copy {}\"><svg class=\"icon\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" \
         aria-hidden=\"true\" focusable=\"false\"><path d=\"M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3\"/></svg><span>Copy</span></button></div>\
         <pre tabindex=\"0\"><code>{}</code></pre></div>",
        escaped(label),
        escaped(what),
        escaped(text)
    )
}

/// A table in a frame that scrolls, where the window is narrower than it. Cells are HTML.
pub(super) fn table<const COLUMNS: usize>(
    caption: &str,
    head: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let head: String = head.into_iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    let rows = rows.into_iter().map(|cells| {
        let cells: String = cells.into_iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr>{cells}</tr>")
    });
    let rows: String = rows.collect();
    format!(
        "<div class=\"wide-table\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table><caption class=\"offscreen\">{0}</caption>\
         <thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        escaped(caption)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_marked_and_nothing_breaks_out() {
        assert_eq!(prose("a `<b>` & \"c\""), "a <code>&lt;b></code> &amp; &quot;c&quot;");
        assert_eq!(anchor("Who calls"), "who-calls");
    }
}
