//! Metrics as text: Prometheus' format, or OpenMetrics'.

use std::fmt::{Display, Write as _};

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dns) enum Format {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The one that a client takes.
    pub(in crate::dns) fn accepted(accept: Option<&str>) -> Self {
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    pub(in crate::dns) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Metrics that are being written.
pub(super) struct Text {
    text: String,
    format: Format,
}

/// The labels of a sample.
pub(super) type Labels<'l> = &'l [(&'l str, &'l str)];

impl Text {
    pub(super) fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.text.push_str(name);
        for (at, (key, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{key}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// A family of counters; `name` without `_total`. The samples are written by `samples`.
    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        samples: impl FnOnce(&mut Samples<'_>),
    ) {
        let total = format!("{name}_total");
        match self.format {
            Format::Prometheus => self.head(&total, "counter", help),
            Format::OpenMetrics => self.head(name, "counter", help),
        }
        samples(&mut Samples { text: self, name: &total });
    }

    /// One counter.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, |samples| samples.add(&[], value));
    }

    /// A family of gauges.
    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        samples: impl FnOnce(&mut Samples<'_>),
    ) {
        self.head(name, "gauge", help);
        samples(&mut Samples { text: self, name });
    }

    /// One gauge.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauges(name, help, |samples| samples.add(&[], value));
    }

    /// A family of histograms of seconds, each with its labels, the counts between the bounds, and the sum.
    pub(super) fn histograms<'l>(
        &mut self,
        name: &str,
        help: &str,
        bounds: &[f64],
        histograms: impl IntoIterator<Item = (Labels<'l>, Vec<u64>, f64)>,
    ) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (labels, counts, sum) in histograms {
            let mut count = 0;
            let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
            for (bound, here) in bounds.zip(counts) {
                count += here;
                let labels = [labels, &[("le", bound.as_str())]].concat();
                self.sample(&bucket, &labels, count);
            }
            self.sample(&format!("{name}_sum"), labels, sum);
            self.sample(&format!("{name}_count"), labels, count);
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// The samples of a family.
pub(super) struct Samples<'t> {
    text: &'t mut Text,
    name: &'t str,
}

impl Samples<'_> {
    pub(super) fn add(&mut self, labels: Labels<'_>, value: impl Display) {
        self.text.sample(self.name, labels, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_as_they_are_described() {
        let check = |format: Format, expected: &str| {
            let mut text = Text::new(format);
            text.counters("a", "What a is.", |samples| {
                samples.add(&[("x", "1"), ("y", "q\"\\\n")], 3)
            });
            text.gauge("b", "What b is.", 0.5);
            let histogram: (Labels<'_>, _, _) = (&[("x", "1")], vec![1, 0, 2], 7.5);
            text.histograms("c", "What c is.", &[0.001, 1.0], [histogram]);
            assert_eq!(text.finish(), expected);
        };
        let rest = "\
a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 3
# HELP b What b is.
# TYPE b gauge
b 0.5
# HELP c What c is.
# TYPE c histogram
c_bucket{x=\"1\",le=\"0.001\"} 1
c_bucket{x=\"1\",le=\"1\"} 1
c_bucket{x=\"1\",le=\"+Inf\"} 3
c_sum{x=\"1\"} 7.5
c_count{x=\"1\"} 3
";
        let head = "# HELP a_total What a is.\n# TYPE a_total counter\n";
        check(Format::Prometheus, &format!("{head}{rest}"));
        let head = "# HELP a What a is.\n# TYPE a counter\n";
        check(Format::OpenMetrics, &format!("{head}{rest}# EOF\n"));
    }
}
