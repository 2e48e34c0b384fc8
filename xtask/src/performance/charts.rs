//! The plots of one benchmark as SVG: opaque and light, so that they read on any page, with no script and no font of their own.

use super::page::number;
use super::rows::{Row, Target};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A plot.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) group: String,
    /// What it shows, for those who do not see it.
    pub(super) title: String,
    /// Its file under docs/performance.
    pub(super) file: String,
    pub(super) svg: String,
}

const WIDTH: u32 = 960;
const MARGIN: i32 = 16;
/// The title and the legend.
const HEAD: i32 = 60;
/// The numbers below the axis.
const FOOT: i32 = 34;
const ROW: i32 = 34;
/// In the units of the plotting library, which are a little smaller than pixels.
const LETTER: f64 = 15.0;
/// A letter of that size is about so wide in the wider of the common fonts.
const LETTER_WIDTH: f64 = 7.2;
/// Letters of a row's name; the table has all of it.
const LABEL_LETTERS_MAX: usize = 56;
/// Room for the words behind a bar.
const WORDS: i32 = 250;
/// Above this ratio of the longest bar to the shortest one the axis is logarithmic.
const LINEAR_MAX: f64 = 20.0;

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(32, 36, 40);
const FAINT: RGBColor = RGBColor(214, 218, 222);
/// Told apart by eyes of all kinds.
const GOOD: RGBColor = RGBColor(0, 114, 178);
const BAD: RGBColor = RGBColor(213, 94, 0);
const NEUTRAL: RGBColor = RGBColor(140, 146, 152);
const TARGET: RGBColor = RGBColor(170, 20, 90);

/// A bar of a chart.
struct Bar {
    label: String,
    /// Where it begins; none for the left edge.
    from: Option<f64>,
    to: f64,
    color: RGBColor,
    /// Behind its end.
    words: String,
    target: Option<f64>,
}

/// All plots of a benchmark; none for one that has measured nothing.
pub(super) fn draw(group: &str, rows: &[Row]) -> Result<Vec<Chart>, String> {
    let mut charts = Vec::new();
    let mut add = |title: String, kind: &str, legend: &[(&str, RGBColor)], bars: Vec<Bar>, one: bool| {
        if bars.is_empty() {
            return Ok(());
        }
        let file = format!("{}-{}.svg", file_name(group), file_name(kind));
        let svg = svg(&title, legend, &bars, one).map_err(|error| format!("{file}: {error}"))?;
        charts.push(Chart { group: group.to_owned(), title, file, svg });
        Ok::<(), String>(())
    };
    let verdicts =
        [("met", GOOD), ("not met", BAD), ("no target, or not judged", NEUTRAL), ("target", TARGET)];
    let title = format!("{group}: ratio of Pollux to what is measured beside it");
    add(title, "ratio", &verdicts, ratios(rows), true)?;
    let sides = [("Pollux, p50 to p99", GOOD), ("beside it, p50 to p99", NEUTRAL), ("target", TARGET)];
    add(format!("{group}: latency in microseconds"), "latency", &sides, latencies(rows), false)?;
    let mut units: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| is_plain_value(row)) {
        if !units.contains(&row.unit.as_str()) {
            units.push(&row.unit);
        }
    }
    for unit in units {
        add(format!("{group}: {unit}"), &format!("in {unit}"), &verdicts, values(rows, unit), false)?;
    }
    Ok(charts)
}

fn ratios(rows: &[Row]) -> Vec<Bar> {
    let bar = |row: &Row| {
        let ratio = row.ratio.filter(|ratio| *ratio > 0.0)?;
        let target_ratio = match row.target {
            Some(Target::RatioAtMost(bound) | Target::RatioAtLeast(bound)) => Some(bound),
            _ => None,
        };
        // Many rows are named after what they are measured beside.
        let other = row.baseline_name.as_ref().filter(|name| !row.label().contains(name.as_str()));
        let against = other.map(|name| format!(" / {name}")).unwrap_or_default();
        Some(Bar {
            label: format!("{}{against}", row.label()),
            from: None,
            to: ratio,
            color: verdict_color(row),
            words: words(&format!("{ratio:.2}"), target_ratio.and_then(|_| bound(row))),
            target: target_ratio,
        })
    };
    rows.iter().filter_map(bar).collect()
}

fn latencies(rows: &[Row]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for row in rows {
        let (Some(p50), Some(p99)) = (row.figure.p50_us, row.figure.p99_us) else { continue };
        let target_us = match row.target {
            Some(Target::ValueAtMost(most)) if row.unit == "us" => Some(most),
            _ => None,
        };
        let which = if row.value == Some(p50) { "p50 " } else { "p99 " };
        let text = |p50: f64, p99: f64| format!("{} to {}", number(p50), number(p99));
        bars.push(Bar {
            label: row.label().to_owned(),
            from: Some(p50),
            to: p99,
            color: GOOD,
            words: words(&text(p50, p99), target_us.and_then(|_| Some(format!("{which}{}", bound(row)?)))),
            target: target_us,
        });
        let base = row.baseline_figure.as_ref();
        if let Some((p50, p99)) = base.and_then(|base| Some((base.p50_us?, base.p99_us?))) {
            let label = row.baseline_name.clone().unwrap_or_else(|| "beside it".to_owned());
            let words = text(p50, p99);
            bars.push(Bar { label, from: Some(p50), to: p99, color: NEUTRAL, words, target: None });
        }
    }
    bars
}

/// A value that neither of the other plots shows.
fn is_plain_value(row: &Row) -> bool {
    row.value.is_some_and(|value| value > 0.0) && row.ratio.is_none() && row.figure.p50_us.is_none()
}

fn values(rows: &[Row], unit: &str) -> Vec<Bar> {
    let bar = |row: &Row| {
        let target_value = match row.target {
            Some(Target::ValueAtMost(most)) => Some(most),
            _ => None,
        };
        let value = row.value?;
        Some(Bar {
            label: row.label().to_owned(),
            from: None,
            to: value,
            color: verdict_color(row),
            words: words(&number(value), target_value.and_then(|_| bound(row))),
            target: target_value,
        })
    };
    rows.iter().filter(|row| is_plain_value(row) && row.unit == unit).filter_map(bar).collect()
}

fn verdict_color(row: &Row) -> RGBColor {
    match row.met {
        Some(true) => GOOD,
        Some(false) => BAD,
        None => NEUTRAL,
    }
}

/// A target in the unit of its axis.
fn bound(row: &Row) -> Option<String> {
    Some(match row.target? {
        Target::ValueAtMost(most) => format!("at most {}", number(most)),
        Target::RatioAtMost(most) => format!("at most {most}"),
        Target::RatioAtLeast(least) => format!("at least {least}"),
    })
}

fn words(value: &str, target: Option<String>) -> String {
    match target {
        Some(target) => format!("{value} ({target})"),
        None => value.to_owned(),
    }
}

type Failure = Box<dyn std::error::Error>;

/// `one`: the axis shows where the ratio is 1.
fn svg(title: &str, legend: &[(&str, RGBColor)], bars: &[Bar], one: bool) -> Result<String, Failure> {
    let ends = || {
        bars.iter().flat_map(|bar| [Some(bar.to), bar.from, bar.target]).flatten().chain(one.then_some(1.0))
    };
    let ends = || ends().filter(|end| *end > 0.0);
    let (least, most) =
        ends().fold((f64::MAX, 0.0_f64), |(least, most), end| (least.min(end), most.max(end)));
    let mut text = String::new();
    if most / least > LINEAR_MAX {
        // Whole decades: the bars begin at one.
        let low = 10_f64.powf((least * 0.999).log10().floor());
        let high = most * 1.2;
        plot(&mut text, title, legend, bars, one, (low..high).log_scale(), (low, high))?;
    } else {
        let high = most * 1.06;
        plot(&mut text, title, legend, bars, one, 0.0..high, (0.0, high))?;
    }
    Ok(text)
}

fn plot<X>(
    text: &mut String,
    title: &str,
    legend: &[(&str, RGBColor)],
    bars: &[Bar],
    one: bool,
    axis: X,
    (low, high): (f64, f64),
) -> Result<(), Failure>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
{
    let labels: Vec<String> = bars.iter().map(|bar| shortened(&bar.label)).collect();
    let letters = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let left = MARGIN + (letters as f64 * LETTER_WIDTH) as i32 + 12;
    let bottom = HEAD + bars.len() as i32 * ROW;
    let size = (WIDTH, (bottom + FOOT + MARGIN) as u32);
    let root = SVGBackend::with_string(text, size).into_drawing_area();
    root.fill(&PAPER)?;
    let ink = |size: f64| TextStyle::from(("sans-serif", size).into_font()).color(&INK);
    root.draw_text(title, &ink(20.0), (MARGIN, 12))?;
    draw_legend(&root, legend, &ink(LETTER))?;

    let right = WIDTH as i32 - WORDS;
    let field = root.clone().shrink((left, HEAD), ((right - left) as u32, (bottom - HEAD + FOOT) as u32));
    let mut chart =
        ChartBuilder::on(&field).x_label_area_size(FOOT).build_cartesian_2d(axis, 0.0..bars.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(FAINT)
        .x_labels(6)
        .x_label_formatter(&|x| axis_number(*x))
        .label_style(ink(LETTER))
        .draw()?;

    let rows = bars.len() as f64;
    let line = |x: f64, (top, bottom): (f64, f64), style: ShapeStyle| {
        PathElement::new(vec![(x, top), (x, bottom)], style)
    };
    if one {
        chart.draw_series([line(1.0, (0.0, rows), INK.mix(0.55).stroke_width(1))])?;
    }
    for (at, (bar, label)) in bars.iter().zip(&labels).enumerate() {
        // The first one is on top.
        let middle = rows - at as f64 - 0.5;
        let (from, to) = (bar.from.unwrap_or(low).max(low), bar.to.min(high));
        chart.draw_series([Rectangle::new(
            [(from, middle - 0.28), (to, middle + 0.28)],
            bar.color.filled(),
        )])?;
        if let Some(target) = bar.target {
            let mark = (middle - 0.45, middle + 0.45);
            chart.draw_series([line(target.clamp(low, high), mark, TARGET.stroke_width(3))])?;
        }
        let (_, y) = chart.backend_coord(&(to, middle));
        let beside = Pos::new(HPos::Right, VPos::Center);
        root.draw_text(label, &ink(LETTER).pos(beside), (left - 8, y))?;
        let furthest = bar.target.unwrap_or(to).max(to).min(high);
        let (x, _) = chart.backend_coord(&(furthest, middle));
        // No line goes through the words.
        let end = x + 10 + (bar.words.chars().count() as f64 * LETTER_WIDTH) as i32;
        root.draw(&Rectangle::new([(x + 5, y - 8), (end, y + 8)], PAPER.filled()))?;
        root.draw_text(&bar.words, &ink(LETTER).pos(Pos::new(HPos::Left, VPos::Center)), (x + 8, y))?;
    }
    root.present()?;
    Ok(())
}

fn draw_legend(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    legend: &[(&str, RGBColor)],
    style: &TextStyle<'_>,
) -> Result<(), Failure> {
    let mut x = MARGIN;
    for (name, color) in legend {
        let half = if *color == TARGET { 2 } else { 6 };
        root.draw(&Rectangle::new([(x + 6 - half, 36), (x + 6 + half, 48)], color.filled()))?;
        root.draw_text(name, &style.pos(Pos::new(HPos::Left, VPos::Center)), (x + 18, 42))?;
        x += 18 + (name.chars().count() as f64 * LETTER_WIDTH) as i32 + 24;
    }
    Ok(())
}

fn axis_number(x: f64) -> String {
    match x.abs() {
        size if size >= 1e6 => format!("{} M", x / 1e6),
        size if size >= 1e3 => format!("{} k", x / 1e3),
        // Steps of the axis are round numbers; the last digit of a float is not.
        _ => format!("{}", (x * 1e4).round() / 1e4),
    }
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_LETTERS_MAX {
        return label.to_owned();
    }
    let kept: String = label.chars().take(LABEL_LETTERS_MAX - 1).collect();
    format!("{}…", kept.trim_end())
}

fn file_name(text: &str) -> String {
    let letters = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>();
    letters.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}
