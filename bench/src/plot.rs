//! Lines over two logarithmic axes, as SVG that follows the reader's light or dark page.

use std::fmt::Write as _;

pub(crate) struct Point {
    /// In seconds, as `y`.
    pub(crate) x: f64,
    pub(crate) y: f64,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 160.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 50.0;
/// Told apart by colour, and by their marks.
const COLOURS: [&str; 2] = ["#2563eb", "#d97706"];

/// Length of the recording to the right, time up.
pub(crate) fn plot(lines: &[(&str, Vec<Point>)]) -> String {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let range = |of: fn(&Point) -> f64| {
        let logs = || all().map(|point| of(point).max(1e-4).log10());
        (logs().fold(f64::INFINITY, f64::min).floor(), logs().fold(f64::NEG_INFINITY, f64::max).ceil())
    };
    let ((x0, x1), (y0, y1)) = (range(|point| point.x), range(|point| point.y));
    let place = |value: f64, from: f64, to: f64| (value.max(1e-4).log10() - from) / (to - from).max(1.0);
    let x = |value: f64| LEFT + place(value, x0, x1) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - place(value, y0, y1) * (HEIGHT - TOP - BOTTOM);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#808080\">\n\
         <title>Time to finalise over the length of the recording</title>\n"
    );
    // Writing to a String never fails.
    for power in y0 as i32..=y1 as i32 {
        let (at, label) = (y(10_f64.powi(power)), tick(10_f64.powi(power)));
        let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#808080\" stroke-opacity=\".25\"/>", WIDTH - RIGHT);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 8.0, at + 4.0);
    }
    let mut lengths: Vec<f64> = all().map(|point| point.x).collect();
    lengths.sort_by(f64::total_cmp);
    lengths.dedup();
    for length in lengths {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(length),
            HEIGHT - BOTTOM + 20.0,
            tick(length)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">length of the recording</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0
    );
    for ((name, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let places: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", x(point.x), y(point.y))).collect();
        let _ =
            writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>", places.join(" "));
        for point in points {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>", x(point.x), y(point.y));
        }
        if let Some(last) = points.last() {
            let _ =
                writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>", x(last.x) + 10.0, y(last.y) + 4.0);
        }
    }
    svg + "</svg>\n"
}

fn tick(seconds: f64) -> String {
    match seconds {
        3_600.0.. => format!("{} h", seconds / 3_600.0),
        60.0.. if seconds % 60.0 == 0.0 => format!("{} min", seconds / 60.0),
        0.99.. => format!("{seconds:.0} s"),
        _ => format!("{:.0} ms", seconds * 1_000.0),
    }
}
