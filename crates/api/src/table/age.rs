//! Durations for people, as kubectl writes them: two or three significant figures.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// `5s`, `2m3s`, `45m`, `3h`, `5d2h`, `2y10d`. A little in the future is `0s` (clocks differ), more is `<invalid>`.
///
/// Rule: Kubernetes, `apimachinery/pkg/util/duration`, HumanDuration.
pub(super) fn human(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds, (MINUTE, 'm'), (1, 's')),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds, (HOUR, 'h'), (MINUTE, 'm')),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds, (DAY, 'd'), (HOUR, 'h')),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds, (YEAR, 'y'), (DAY, 'd')),
        252_288_000.. => format!("{}y", seconds / YEAR),
    }
}

/// The larger unit, and the smaller one unless it is 0.
fn two(seconds: i64, large: (i64, char), small: (i64, char)) -> String {
    let (whole, rest) = (seconds / large.0, seconds % large.0 / small.0);
    if rest == 0 {
        format!("{whole}{}", large.1)
    } else {
        format!("{whole}{}{rest}{}", large.1, small.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_kubectl_writes_them() {
        let check = |seconds: i64, text: &str| {
            assert_eq!(human(SignedDuration::from_secs(seconds)), text, "{seconds} s");
        };
        check(-2, "<invalid>");
        check(-1, "0s");
        check(0, "0s");
        check(5, "5s");
        check(119, "119s");
        check(120, "2m");
        check(123, "2m3s");
        check(9 * MINUTE + 59, "9m59s");
        check(10 * MINUTE + 59, "10m");
        check(3 * HOUR - 1, "179m");
        check(3 * HOUR, "3h");
        check(3 * HOUR + 5 * MINUTE + 59, "3h5m");
        check(8 * HOUR - 1, "7h59m");
        check(8 * HOUR, "8h");
        check(2 * DAY - 1, "47h");
        check(2 * DAY, "2d");
        check(5 * DAY + 2 * HOUR, "5d2h");
        check(8 * DAY - 1, "7d23h");
        check(8 * DAY, "8d");
        check(2 * YEAR - 1, "729d");
        check(2 * YEAR, "2y");
        check(2 * YEAR + 10 * DAY, "2y10d");
        check(8 * YEAR - 1, "7y364d");
        check(8 * YEAR, "8y");
        assert_eq!(human(SignedDuration::from_millis(-999)), "0s");
    }
}
