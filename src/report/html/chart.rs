//! Charts as SVG, drawn here: a file that is opened years later on another machine must not ask for anything. Each has a
//! title and a description for who cannot see it, and its numbers stand in a table beside it.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::report::model::{Bar, LiveSpan};
use crate::report::text::units::{bytes, count, duration};

/// Width and height in pixels of the drawing; the page scales it.
const SIZE: (u32, u32) = (560, 220);
/// Beside the last label of an axis, half of which stands beyond its end.
const LAST_LABEL: i32 = 32;
const LINE: RGBColor = RGBColor(0xb0, 0x24, 0x18);
const FILL: RGBColor = RGBColor(0x2b, 0x6c, 0xb0);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The live set over time; `None` where there is too little to draw.
pub(super) fn live(spans: &[LiveSpan]) -> Option<String> {
    let (first, last) = (spans.first()?, spans.last()?);
    if spans.len() < 2 {
        return None;
    }
    let highest = spans.iter().map(|span| span.high_blocks).max().unwrap_or(1).max(1);
    svg(|area| {
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(LAST_LABEL)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(
                first.from_s..last.to_s.max(first.from_s + 1e-9),
                0_f64..highest as f64,
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|at| duration(*at))
            .y_label_formatter(&|blocks| count(blocks.max(0.0) as u64))
            .draw()?;
        let low = spans.iter().map(|span| (span.to_s, span.low_blocks as f64));
        chart.draw_series(AreaSeries::new(low, 0.0, FILL.mix(0.25)).border_style(FILL))?;
        let high = spans.iter().map(|span| (span.to_s, span.high_blocks as f64));
        chart.draw_series(LineSeries::new(high, LINE.stroke_width(2)))?;
        Ok(())
    })
}

/// What a histogram's values are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// Bytes.
    Sizes,
    /// Nanoseconds.
    Lifetimes,
}

impl Values {
    /// A value as people say it.
    pub fn said(self, value: u64) -> String {
        match self {
            Values::Sizes => bytes(value),
            Values::Lifetimes => duration(value as f64 / 1e9),
        }
    }
}

/// A histogram by powers of two; `None` where it is empty.
pub(super) fn bars(bars: &[Bar], values: Values) -> Option<String> {
    let powers = |bar: &Bar| i64::from(bar.from.max(1).ilog2());
    let (first, last) = (powers(bars.first()?), powers(bars.last()?));
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    svg(|area| {
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(LAST_LABEL)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(first as f64..(last + 1) as f64, 0_f64..most as f64)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(((last - first + 1) as usize).min(6) + 1)
            .y_labels(5)
            .x_label_formatter(&|power| values.said(2_f64.powf(*power).round() as u64))
            .y_label_formatter(&|blocks| count(blocks.max(0.0) as u64))
            .draw()?;
        chart.draw_series(bars.iter().map(|bar| {
            let at = powers(bar) as f64;
            Rectangle::new([(at + 0.05, 0.0), (at + 0.95, bar.count as f64)], FILL.filled())
        }))?;
        Ok(())
    })
}

/// Draws; what cannot be drawn is left out, its numbers stand in the table.
fn svg(draw: impl FnOnce(Area<'_>) -> Drawn) -> Option<String> {
    let mut out = String::new();
    let area = SVGBackend::with_string(&mut out, SIZE).into_drawing_area();
    draw(area).ok()?;
    let fixed = format!("<svg width=\"{}\" height=\"{}\" ", SIZE.0, SIZE.1);
    Some(out.replacen(&fixed, "<svg aria-hidden=\"true\" focusable=\"false\" ", 1))
}
