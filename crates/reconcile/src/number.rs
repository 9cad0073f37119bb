//! Counts that may be percentages.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The count that `value` means of `total`: a number as it is, a percentage rounded up or down. 0 for anything
/// else.
pub(crate) fn scaled(value: &IntOrString, total: usize, up: bool) -> usize {
    match value {
        IntOrString::Int(number) => usize::try_from(*number).unwrap_or(0),
        IntOrString::String(text) => {
            let percent =
                text.strip_suffix('%').and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
            let hundredths = percent.saturating_mul(total);
            if up { hundredths.div_ceil(100) } else { hundredths / 100 }
        }
    }
}
