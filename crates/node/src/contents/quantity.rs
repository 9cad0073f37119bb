//! Amounts of resources: `500m`, `1Gi`, `2e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// An amount in thousandths, rounded up; what is too large is the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Milli(u128);

impl Milli {
    /// The amount that a quantity says, unless it is none or negative.
    pub(super) fn of(quantity: &Quantity) -> Option<Self> {
        let text = quantity.0.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let number_ends =
            text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(number_ends);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let (base, exponent): (u128, i32) = match suffix {
            "n" => (10, -9),
            "u" => (10, -6),
            "m" => (10, -3),
            "" => (10, 0),
            "k" => (10, 3),
            "M" => (10, 6),
            "G" => (10, 9),
            "T" => (10, 12),
            "P" => (10, 15),
            "E" => (10, 18),
            "Ki" => (1024, 1),
            "Mi" => (1024, 2),
            "Gi" => (1024, 3),
            "Ti" => (1024, 4),
            "Pi" => (1024, 5),
            "Ei" => (1024, 6),
            scientific => (10, scientific.strip_prefix(['e', 'E'])?.parse().ok()?),
        };
        let digits: String = [whole, fraction].concat();
        let digits = digits.trim_start_matches('0');
        let mantissa: u128 = match digits {
            "" => return Some(Self(0)),
            digits => digits.parse().unwrap_or(u128::MAX),
        };
        let decimals = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
        let (value, tens) = match base {
            10 => (mantissa, exponent.saturating_add(3)),
            _ => (mantissa.saturating_mul(base.saturating_pow(exponent.unsigned_abs())), 3),
        };
        let tens = tens.saturating_sub(decimals);
        let power = 10_u128.saturating_pow(tens.unsigned_abs());
        Some(Self(if tens < 0 { value.div_ceil(power) } else { value.saturating_mul(power) }))
    }

    /// In whole units, rounded up.
    pub(super) fn units(self) -> u128 {
        self.0.div_ceil(1000)
    }

    /// In thousandths.
    pub(super) fn thousandths(self) -> u128 {
        self.0
    }

    /// In whole units, as far as the type goes.
    pub(super) fn bytes(self) -> u64 {
        u64::try_from(self.units()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        #[track_caller]
        fn check(text: &str, thousandths: Option<u128>) {
            let seen = Milli::of(&Quantity(text.to_owned())).map(Milli::thousandths);
            assert_eq!(seen, thousandths, "{text}");
        }
        check("1", Some(1000));
        check("0", Some(0));
        check("+2", Some(2000));
        check("500m", Some(500));
        check("0.5", Some(500));
        check(".5", Some(500));
        check("1.", Some(1000));
        check("1.5k", Some(1_500_000));
        check("100u", Some(1));
        check("1n", Some(1));
        check("1Ki", Some(1_024_000));
        check("1.5Gi", Some(1_610_612_736_000));
        check("2e3", Some(2_000_000));
        check("2E-3", Some(2));
        check("1E", Some(1_000_000_000_000_000_000_000));
        check("9e99999", Some(u128::MAX));
        check("1e-99999", Some(1));
        check("", None);
        check("-1", None);
        check("1.2.3", None);
        check("1Qi", None);
        check("Gi", None);
        check("1e", None);
    }
}
