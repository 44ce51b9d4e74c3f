//! A small area chart of one figure over time.

use std::fmt::Write as _;

use leptos::prelude::*;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 48.0;

/// The line through `values`, scaled so that the largest touches the top; the newest stands at the right edge.
/// With few values the line begins further right: `slots` is how many fill the width.
#[expect(clippy::cast_precision_loss, reason = "pixels of a chart")]
fn line(values: &[u64], slots: usize) -> String {
    let top = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = WIDTH / (slots.max(2) - 1) as f64;
    let start = WIDTH - step * (values.len().saturating_sub(1)) as f64;
    let mut path = String::new();
    for (at, value) in values.iter().enumerate() {
        let (x, y) = (start + step * at as f64, HEIGHT - 2.0 - (HEIGHT - 6.0) * (*value as f64 / top));
        let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
    }
    path
}

/// `description` says in words what the chart shows.
#[component]
pub fn Sparkline(
    #[prop(into)] values: Signal<Vec<u64>>,
    slots: usize,
    #[prop(into)] description: Signal<String>,
) -> impl IntoView {
    let path = Memo::new(move |_| values.with(|values| line(values, slots)));
    let area = move || {
        let path = path.get();
        let first_x = path.trim_start_matches('M').split(' ').next().unwrap_or("0").to_owned();
        if path.is_empty() { path } else { format!("{path}L{WIDTH} {HEIGHT}L{first_x} {HEIGHT}Z") }
    };
    view! {
        <svg
            class="sparkline"
            viewBox=format!("0 0 {WIDTH} {HEIGHT}")
            preserveAspectRatio="none"
            role="img"
            aria-label=move || description.get()
        >
            <path class="area" d=area />
            <path class="line" d=move || path.get() />
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_stands_at_the_right_edge_and_the_largest_at_the_top() {
        let path = line(&[1, 2], 301);
        assert_eq!(path, "M299.0 25.0L300.0 4.0");
        assert_eq!(line(&[], 300), "");
        assert_eq!(line(&[0], 300), "M300.0 46.0");
    }
}
