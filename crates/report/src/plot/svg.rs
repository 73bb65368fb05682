//! Writes a chart as SVG. Numbers are rounded to hundredths of a pixel.

use std::fmt::{self, Write as _};

use super::axis::Tick;
use super::{Chart, Look, Mark, Series};

const WIDTH: f64 = 800.0;
/// The sides of the area that is drawn in.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 768.0;
const TOP: f64 = 62.0;
const HEIGHT: f64 = 360.0;
/// The legend has a line for each series, below the axis.
const LEGEND_LINE: f64 = 20.0;

/// Okabe and Ito's colours, which people with any kind of colour blindness can
/// tell apart (Nature Methods 8:441, 2011): on light ground, and lighter ones
/// for dark ground, each with at least three to one against it.
const COLORS: [(&str, &str); 5] = [
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#e69f00"),
    ("#007a58", "#2fc39a"),
    ("#a8457f", "#cc79a7"),
    ("#5c5c5c", "#b5b5b5"),
];
const DASHES: [&str; 5] = ["none", "8 4", "2 3", "10 3 2 3", "4 2"];

pub(super) fn write(chart: &Chart) -> String {
    let mut svg = Svg(String::new());
    // A String takes everything, so there is no error to lose.
    let _ = svg.document(chart);
    svg.0
}

struct Svg(String);

/// Text, as it must stand in an SVG.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // XML has no way to write these.
                c if c.is_control() => f.write_str("\u{fffd}")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A length, to hundredths, without needless zeros.
struct Px(f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0 * 100.0).round() as i64;
        let (whole, rest) = (hundredths / 100, hundredths.abs() % 100);
        if hundredths < 0 && whole == 0 {
            f.write_str("-")?;
        }
        match rest {
            0 => write!(f, "{whole}"),
            rest if rest % 10 == 0 => write!(f, "{whole}.{}", rest / 10),
            rest => write!(f, "{whole}.{rest:02}"),
        }
    }
}

fn across(chart: &Chart, x: f64) -> f64 {
    LEFT + chart.x.along(x) * (RIGHT - LEFT)
}

fn up(chart: &Chart, y: f64) -> f64 {
    TOP + HEIGHT - chart.y.along(y) * HEIGHT
}

impl Svg {
    fn document(&mut self, chart: &Chart) -> fmt::Result {
        let height = TOP + HEIGHT + 62.0 + LEGEND_LINE * chart.series.len() as f64;
        writeln!(
            self.0,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" \
             aria-labelledby=\"title desc\">",
            Px(WIDTH),
            Px(height)
        )?;
        writeln!(
            self.0,
            "<title id=\"title\">{}</title>",
            Escaped(&chart.title)
        )?;
        writeln!(
            self.0,
            "<desc id=\"desc\">{}</desc>",
            Escaped(&chart.description)
        )?;
        self.style()?;
        writeln!(
            self.0,
            "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>"
        )?;
        writeln!(
            self.0,
            "<text class=\"title\" x=\"{}\" y=\"32\">{}</text>",
            Px(LEFT),
            Escaped(&chart.title)
        )?;
        self.axes(chart)?;
        for mark in &chart.marks {
            self.mark(chart, mark)?;
        }
        for series in &chart.series {
            self.series(chart, series)?;
        }
        self.legend(chart)?;
        writeln!(self.0, "</svg>")
    }

    fn style(&mut self) -> fmt::Result {
        let mut light = String::new();
        let mut dark = String::new();
        for (at, ((on_light, on_dark), dash)) in COLORS.iter().zip(DASHES).enumerate() {
            write!(light, ".c{at}{{color:{on_light};stroke-dasharray:{dash}}}")?;
            write!(dark, ".c{at}{{color:{on_dark}}}")?;
        }
        writeln!(
            self.0,
            "<style>\
             svg{{font:13px system-ui,sans-serif}}\
             text{{fill:#222}}.title{{font-size:17px;font-weight:600}}\
             .ground{{fill:#fff}}.grid{{stroke:#ddd}}.axis{{stroke:#666}}\
             .mark{{stroke:#666;stroke-dasharray:3 3}}\
             .line{{fill:none;stroke:currentColor;stroke-width:2.2}}\
             .dot{{fill:currentColor}}.bar{{fill:currentColor;fill-opacity:.75}}\
             .whisker{{stroke:currentColor;stroke-width:1.5;stroke-dasharray:none}}\
             {light}\
             @media(prefers-color-scheme:dark){{text{{fill:#e6e6e6}}.ground{{fill:#16191d}}\
             .grid{{stroke:#363b42}}.axis,.mark{{stroke:#9aa0a8}}{dark}}}\
             </style>"
        )
    }

    fn axes(&mut self, chart: &Chart) -> fmt::Result {
        let bottom = TOP + HEIGHT;
        for tick in chart.y.ticks() {
            let y = up(chart, tick.at);
            self.line("grid", (LEFT, y), (RIGHT, y))?;
            self.tick(&tick, LEFT - 8.0, y + 4.5, "end")?;
        }
        for tick in chart.x.ticks() {
            let x = across(chart, tick.at);
            self.line("grid", (x, TOP), (x, bottom))?;
            self.tick(&tick, x, bottom + 19.0, "middle")?;
        }
        self.line("axis", (LEFT, bottom), (RIGHT, bottom))?;
        self.line("axis", (LEFT, TOP), (LEFT, bottom))?;
        writeln!(
            self.0,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            Px((LEFT + RIGHT) / 2.0),
            Px(bottom + 40.0),
            Escaped(&chart.x.label)
        )?;
        // Above the axis and level: easier to read than on its side.
        writeln!(
            self.0,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            Px(LEFT),
            Px(TOP - 10.0),
            Escaped(&chart.y.label)
        )
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) -> fmt::Result {
        writeln!(
            self.0,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            Px(from.0),
            Px(from.1),
            Px(to.0),
            Px(to.1)
        )
    }

    fn tick(&mut self, tick: &Tick, x: f64, y: f64, anchor: &str) -> fmt::Result {
        write!(
            self.0,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}",
            Px(x),
            Px(y),
            Escaped(&tick.text)
        )?;
        if let Some(exponent) = tick.exponent {
            // Not baseline-shift, which not every browser knows.
            let exponent = exponent.to_string().replace('-', "−");
            write!(
                self.0,
                "<tspan dy=\"-5\" font-size=\"10\">{exponent}</tspan>"
            )?;
        }
        writeln!(self.0, "</text>")
    }

    fn mark(&mut self, chart: &Chart, mark: &Mark) -> fmt::Result {
        let label = Escaped(&mark.label);
        if mark.upright && chart.x.holds(mark.at) {
            let x = across(chart, mark.at);
            self.line("mark", (x, TOP), (x, TOP + HEIGHT))?;
            // On the side where there is room, clear of what runs along the axis.
            let (at, anchor) = if x < RIGHT - 140.0 {
                (x + 6.0, "start")
            } else {
                (x - 6.0, "end")
            };
            let y = Px(TOP + HEIGHT - 30.0);
            writeln!(
                self.0,
                "<text x=\"{}\" y=\"{y}\" text-anchor=\"{anchor}\">{label}</text>",
                Px(at)
            )?;
        } else if !mark.upright && chart.y.holds(mark.at) {
            let y = up(chart, mark.at);
            self.line("mark", (LEFT, y), (RIGHT, y))?;
            let below = if y < TOP + 24.0 { 16.0 } else { -6.0 };
            writeln!(
                self.0,
                "<text x=\"{}\" y=\"{}\">{label}</text>",
                Px(LEFT + 8.0),
                Px(y + below)
            )?;
        }
        Ok(())
    }

    fn series(&mut self, chart: &Chart, series: &Series) -> fmt::Result {
        let color = series.color % COLORS.len();
        writeln!(self.0, "<g class=\"c{color}\">")?;
        let seen = |point: &&super::Point| {
            chart.x.holds(point.x) && !point.y.is_nan() && point.y > f64::NEG_INFINITY
        };
        let points: Vec<_> = series.points.iter().filter(seen).collect();
        match series.look {
            Look::Line => {
                write!(self.0, "<polyline class=\"line\" points=\"")?;
                for (at, point) in points.iter().enumerate() {
                    let space = if at == 0 { "" } else { " " };
                    let (x, y) = (across(chart, point.x), up(chart, point.y));
                    write!(self.0, "{space}{},{}", Px(x), Px(y))?;
                }
                writeln!(self.0, "\"/>")?;
            }
            Look::Dots => {
                for point in &points {
                    self.whisker(chart, point)?;
                    let (x, y) = (across(chart, point.x), up(chart, point.y));
                    writeln!(
                        self.0,
                        "<circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>",
                        Px(x),
                        Px(y)
                    )?;
                }
            }
            Look::Bars => {
                let gap = points
                    .windows(2)
                    .map(|pair| across(chart, pair[1].x) - across(chart, pair[0].x))
                    .fold(RIGHT - LEFT, f64::min);
                let width = (gap * 0.6).clamp(1.0, 60.0);
                for point in &points {
                    let (x, y) = (across(chart, point.x), up(chart, point.y));
                    writeln!(
                        self.0,
                        "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                        Px(x - width / 2.0),
                        Px(y),
                        Px(width),
                        Px(TOP + HEIGHT - y)
                    )?;
                    self.whisker(chart, point)?;
                }
            }
        }
        writeln!(self.0, "</g>")
    }

    fn whisker(&mut self, chart: &Chart, point: &super::Point) -> fmt::Result {
        let Some((low, high)) = point.interval else {
            return Ok(());
        };
        let x = across(chart, point.x);
        let (low, high) = (up(chart, low), up(chart, high));
        self.line("whisker", (x, low), (x, high))?;
        self.line("whisker", (x - 4.0, low), (x + 4.0, low))?;
        self.line("whisker", (x - 4.0, high), (x + 4.0, high))
    }

    fn legend(&mut self, chart: &Chart) -> fmt::Result {
        let mut y = TOP + HEIGHT + 64.0;
        for series in &chart.series {
            let color = series.color % COLORS.len();
            writeln!(self.0, "<g class=\"c{color}\">")?;
            match series.look {
                Look::Line => writeln!(
                    self.0,
                    "<polyline class=\"line\" points=\"{},{} {},{}\"/>",
                    Px(LEFT),
                    Px(y - 4.0),
                    Px(LEFT + 36.0),
                    Px(y - 4.0)
                )?,
                Look::Dots => writeln!(
                    self.0,
                    "<circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>",
                    Px(LEFT + 18.0),
                    Px(y - 4.0)
                )?,
                Look::Bars => writeln!(
                    self.0,
                    "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"24\" height=\"11\"/>",
                    Px(LEFT + 6.0),
                    Px(y - 10.0)
                )?,
            }
            writeln!(
                self.0,
                "</g>\n<text x=\"{}\" y=\"{}\">{}</text>",
                Px(LEFT + 46.0),
                Px(y),
                Escaped(&series.name)
            )?;
            y += LEGEND_LINE;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Axis, Point, Scale};

    #[test]
    fn lengths_are_short() {
        let shown = [0.0, -0.004, 1.0, 1.5, 1.255, -0.5, -2.25].map(|l| Px(l).to_string());
        assert_eq!(shown, ["0", "0", "1", "1.5", "1.25", "-0.5", "-2.25"]);
    }

    #[test]
    fn whatever_stands_in_a_name_the_document_stays_whole() {
        let chart = Chart {
            title: "<b> & \"c\" \u{1b}".to_owned(),
            description: "</desc>".to_owned(),
            x: Axis::new("<x>", Scale::Log, 0.0, 3.0),
            y: Axis::new("&y", Scale::Linear, 0.0, 1.0),
            series: vec![Series {
                name: "</svg>".to_owned(),
                look: Look::Line,
                color: 7,
                points: vec![
                    Point::new(f64::NAN, 0.5),
                    Point::new(1.0, f64::NAN),
                    Point::new(1.0, f64::INFINITY),
                    Point::new(2.0, f64::NEG_INFINITY),
                    Point::new(99.0, 0.5),
                ],
            }],
            marks: Vec::new(),
        };
        let svg = chart.svg();
        assert!(svg.contains("<title id=\"title\">&lt;b&gt; &amp; &quot;c&quot; \u{fffd}</title>"));
        assert_eq!(svg.matches("</svg>").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        // Of all points one is on the chart, above its upper end.
        assert!(svg.contains("points=\"306.67,62\""), "{svg}");
    }
}
