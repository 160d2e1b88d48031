//! A share of things counted.

use super::interval::Interval;

/// The 97.5% quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The share `count` of `of` with its 95% score interval (Wilson 1927), which holds for shares near 0 and 1 and
/// for few trials. It takes the trials to be independent. Absent without trials and for more successes than
/// trials.
pub fn proportion(count: u64, of: u64) -> Option<Interval> {
    if of == 0 || count > of {
        return None;
    }
    let (n, p) = (of as f64, count as f64 / of as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At the ends the interval reaches the end itself; rounding must not leave it short of it.
    let low = if count == 0 { 0.0 } else { (middle - half) / scale };
    let high = if count == of { 1.0 } else { (middle + half) / scale };
    Some(Interval { estimate: p, low, high })
}
