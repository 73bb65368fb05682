//! Charts as SVG: the same data gives the same bytes. No font, script or
//! network is needed; colours are told apart by the colour-blind and come with
//! dashes; the picture follows the reader's dark or light setting, and says in
//! words what it shows.
//!
//! [`charts`] has the charts of this project; [`Chart`] is what they are made
//! of. `axis` knows scales and ticks, `svg` writes.

mod axis;
pub mod charts;
mod svg;

pub use axis::{Axis, Scale};

/// A chart with one horizontal and one vertical axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The heading.
    pub title: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, the first one at the bottom.
    pub series: Vec<Series>,
    /// Lines across the whole chart, with a word on each.
    pub marks: Vec<Mark>,
}

/// One set of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Which colour and dash, counted from 0.
    pub color: usize,
    /// The points, from left to right.
    pub points: Vec<Point>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A line from point to point.
    Line,
    /// A dot at each point, with its interval.
    Dots,
    /// A bar from the bottom to each point, with its interval.
    Bars,
}

/// A point, in the unit of its axes: on a logarithmic axis, the logarithm to
/// base 10, which neither underflows nor overflows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// The ends of an interval around `y`.
    pub interval: Option<(f64, f64)>,
}

impl Point {
    /// Without an interval.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            interval: None,
        }
    }
}

/// A line across the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where, in the unit of the axis.
    pub at: f64,
    /// Upright, at a place of the horizontal axis; else level.
    pub upright: bool,
    /// What it says.
    pub label: String,
}

impl Chart {
    /// The chart as an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::write(self)
    }
}
