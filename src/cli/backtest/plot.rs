//! The precision–coverage curve as a small SVG without scripts, fonts or links.

use std::fmt::Write;

use crate::triage::backtest::Point;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 48.0;

/// Draws which share of the answers is right (0 to 1, upwards) when only the surest share of the tickets is answered
/// (0 to 1, to the right), with a line at the target.
pub fn curve(points: &[Point], target: f64) -> String {
    let x = |share: f64| LEFT + share * (WIDTH - LEFT - RIGHT);
    let y = |share: f64| TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#444\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for tenth in (0..=10).step_by(2) {
        let share = f64::from(tenth) / 10.0;
        let (at_x, at_y) = (x(share), y(share));
        let percent = tenth * 10;
        let _ = write!(
            svg,
            "<path d=\"M{LEFT} {at_y:.1}H{:.1}\" stroke=\"#ddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>\n\
             <text x=\"{at_x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{percent} %</text>\n",
            x(1.0),
            LEFT - 8.0,
            at_y + 4.0,
            y(0.0) + 18.0,
        );
    }
    let _ = write!(
        svg,
        "<path d=\"M{LEFT} {:.1}H{:.1}\" stroke=\"#c60\" stroke-dasharray=\"5 4\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#c60\">target</text>\n",
        y(target),
        x(1.0),
        x(1.0) - 4.0,
        y(target) - 5.0,
    );
    let line: Vec<String> = points
        .iter()
        .map(|point| format!("{:.1} {:.1}", x(point.coverage), y(point.precision)))
        .collect();
    if !line.is_empty() {
        let _ = writeln!(
            svg,
            "<path d=\"M{}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2.5\"/>",
            line.join(" L")
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">share of the tickets answered, the surest first</text>\n\
         <text x=\"{LEFT}\" y=\"14\">share of the answers that are right</text>\n</svg>\n",
        x(0.5),
        HEIGHT - 10.0,
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_goes_through_its_points() {
        let point = |coverage, precision| Point {
            coverage,
            precision,
            probability: 0.5,
        };
        let svg = curve(&[point(0.0, 1.0), point(1.0, 0.0)], 0.8);
        assert!(svg.contains("M56.0 24.0 L620.0 312.0"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
