//! The chart: requests per second of ours and of the original, compared with the bare loop's.

use std::fmt::Write;

use crate::server::Contender;
use crate::times::{Row, Spread};

const WIDTH: usize = 760;
/// Where bars begin, and the length of 100 %.
const LEFT: usize = 190;
const FULL: f64 = 440.0;
const TOP: usize = 72;
const BAR: usize = 14;
const ROW: usize = 42;

const OURS: (&str, &str) = ("libfcgi-rs", "#1f6f8b");
const ORIGINAL: (&str, &str) = ("libfcgi 2.4.2", "#c98b3a");

/// Draws one pair of bars for each row.
pub(crate) fn svg(rows: &[Row]) -> String {
    let height = TOP + rows.len() * ROW + 34;
    let bottom = height - 30;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\">Requests per second, in percent \
         of a bare loop of system calls</text>\n"
    );
    for (at, (name, color)) in [OURS, ORIGINAL].into_iter().enumerate() {
        let x = LEFT + at * 130;
        writeln!(text, "<rect x=\"{x}\" y=\"40\" width=\"12\" height=\"12\" fill=\"{color}\"/>")
            .unwrap();
        writeln!(text, "<text x=\"{}\" y=\"51\">{name}</text>", x + 18).unwrap();
    }
    for percent in (0..=100).step_by(25) {
        let x = LEFT as f64 + FULL * f64::from(percent) / 100.0;
        writeln!(
            text,
            "<line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\">{percent}</text>",
            TOP - 8,
            bottom + 16
        )
        .unwrap();
    }
    for (at, row) in rows.iter().enumerate() {
        let y = TOP + at * ROW;
        writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 10,
            y + BAR + 4,
            row.timed.scenario.title
        )
        .unwrap();
        bar(&mut text, y, OURS.1, row.of_limit(Contender::Ours));
        bar(&mut text, y + BAR + 2, ORIGINAL.1, row.of_limit(Contender::Original));
    }
    text + "</svg>\n"
}

/// Draws a bar for the median and a line from the minimum to the maximum.
fn bar(text: &mut String, y: usize, color: &str, of_limit: Spread) {
    // Short turns on a busy machine may exceed the limit, so the chart has room for a fifth more.
    let length = |part: f64| FULL * part.min(1.2);
    let (left, middle) = (LEFT as f64, y + BAR / 2);
    writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{color}\"/>\
         <line x1=\"{:.1}\" y1=\"{middle}\" x2=\"{:.1}\" y2=\"{middle}\" stroke=\"#222\"/>\
         <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{:.0}</text>",
        length(of_limit.median),
        left + length(of_limit.min),
        left + length(of_limit.max),
        left + length(of_limit.max) + 5.0,
        y + BAR - 3,
        100.0 * of_limit.median
    )
    .unwrap();
}
