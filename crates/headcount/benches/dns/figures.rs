//! Rounds of measurements, put together.

/// One server's figures, a value a round.
pub(crate) struct Figures {
    pub(crate) title: String,
    pub(crate) is_echo: bool,
    pub(crate) per_second: Vec<f64>,
    /// Microseconds.
    pub(crate) cpu_per_query: Vec<f64>,
    pub(crate) sent: f64,
    pub(crate) lost: f64,
    pub(crate) reply_length: f64,
    pub(crate) resident_mb: f64,
}

/// The middle value, the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: (at(sorted.len().saturating_sub(1) / 2) + at(sorted.len() / 2)) / 2.0,
            least: at(0),
            most: at(sorted.len().saturating_sub(1)),
        }
    }
}

/// CPU time to that of the first server in the same round.
pub(crate) fn ratio(all: &[Figures], of: &Figures) -> Spread {
    let base = &all[0].cpu_per_query;
    let ratios: Vec<f64> =
        of.cpu_per_query.iter().zip(base).map(|(own, base)| own / base).collect();
    Spread::of(&ratios)
}

/// The table, as Markdown.
pub(crate) fn table(all: &[Figures]) -> String {
    let mut text = String::from(
        "| server | CPU a query, µs | to the echo | queries/s | lost | reply, octets | memory, MB |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for figures in all {
        let cpu = Spread::of(&figures.cpu_per_query);
        let rate = Spread::of(&figures.per_second);
        let ratio = ratio(all, figures);
        text += &format!(
            "| {} | {:.2} ({:.2}–{:.2}) | {:.2} × ({:.2}–{:.2}) | {:.0} k ({:.0}–{:.0}) | {:.3} % | {:.0} | {:.1} |\n",
            figures.title,
            cpu.median,
            cpu.least,
            cpu.most,
            ratio.median,
            ratio.least,
            ratio.most,
            rate.median / 1e3,
            rate.least / 1e3,
            rate.most / 1e3,
            100.0 * figures.lost / figures.sent,
            figures.reply_length,
            figures.resident_mb,
        );
    }
    text
}

/// The CPU time of each server as bars, with the spread over the rounds, as SVG.
pub(crate) fn plot(title: &str, all: &[Figures]) -> String {
    const LEFT: f64 = 230.0;
    const WIDTH: f64 = 400.0;
    const BAR: f64 = 26.0;
    let most = all.iter().map(|f| Spread::of(&f.cpu_per_query).most).fold(0.0, f64::max);
    let x = |value: f64| LEFT + WIDTH * value / most;
    let height = 70.0 + BAR * all.len() as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\">\n<title>{title}</title>\n<rect width=\"720\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    for (number, figures) in all.iter().enumerate() {
        let Spread { median, least, most } = Spread::of(&figures.cpu_per_query);
        let y = 42.0 + BAR * number as f64;
        let middle = y + BAR / 2.0 - 2.0;
        let colour = match (figures.is_echo, figures.title.starts_with("headcount")) {
            (true, _) => "#b8b8b8",
            (_, true) => "#3b6fb6",
            _ => "#d9a441",
        };
        text += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>\n\
             <path d=\"M{:.1} {middle}H{:.1}\" stroke=\"black\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{median:.2}</text>\n",
            LEFT - 8.0,
            middle + 5.0,
            figures.title,
            x(median) - LEFT,
            BAR - 6.0,
            x(least),
            x(most),
            x(most) + 8.0,
            middle + 5.0,
        );
    }
    text += &format!(
        "<text x=\"{LEFT}\" y=\"{}\" fill=\"#555\">µs of the server's CPU time a query; the line is the spread over the rounds</text>\n</svg>\n",
        height - 12.0
    );
    text
}
