//! Whether a build is worse than its baseline, judged by what the baseline against itself gives in the same run.
//! `docs/performance.md` defines the words.

use crate::figures::Figure;

/// The side of 1 on which a ratio is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// The judgement of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// Better beyond noise.
    Better,
    /// Within noise.
    NoWorse,
    /// Worse beyond noise: the median ratio, and the bound that it is on the wrong side of.
    Worse { ratio: f64, bound: f64 },
    /// No judgement: a value was 0, and so a ratio is no number.
    Unknown,
}

/// A factor that is no difference to anybody, and that ratios which hardly vary, such as those of memory, must
/// exceed nevertheless.
const NEGLIGIBLE: f64 = 1.01;

impl Verdict {
    /// Judges the ratio to the baseline by those of the baseline to itself.
    pub(crate) fn of(figure: &Figure) -> Self {
        let ratio = figure.ratios().median;
        let Some(noise) = noise_factor(&figure.reference_ratios_by_round()) else { return Self::Unknown };
        if !ratio.is_finite() || ratio <= 0.0 {
            return Self::Unknown;
        }
        let (loss, bound) = match figure.better {
            Better::Higher => (1.0 / ratio, 1.0 / noise),
            Better::Lower => (ratio, noise),
        };
        match loss {
            worse if worse > noise => Self::Worse { ratio, bound },
            better if better < 1.0 / noise => Self::Better,
            _ => Self::NoWorse,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Better => "better".to_owned(),
            Self::NoWorse => "no worse".to_owned(),
            Self::Worse { ratio, bound } => {
                let relation = if ratio < bound { '<' } else { '>' };
                format!("worse beyond noise: {ratio:.3} {relation} {bound:.3}")
            }
            Self::Unknown => "unknown: a value is 0".to_owned(),
        }
    }
}

/// The largest factor between two measurements of the same, whichever of them came first; `None` if a ratio is
/// no number, or if there is none.
fn noise_factor(ratios: &[f64]) -> Option<f64> {
    let factors = ratios.iter().map(|ratio| if *ratio < 1.0 { 1.0 / ratio } else { *ratio });
    // Not by `f64::max`, which passes over NaN.
    let largest = factors.max_by(f64::total_cmp)?;
    largest.is_finite().then(|| largest.max(NEGLIGIBLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on ratios to a baseline of 1, where it reached `again` in its second turns.
    fn verdict(better: Better, ratios: [f64; 3], again: [f64; 3]) -> Verdict {
        let rounds: Vec<Vec<f64>> =
            ratios.iter().zip(again).map(|(of, again)| vec![*of, 1.0, again]).collect();
        let figure = Figure::of("figure", "", &rounds, |value| *value);
        Verdict::of(&Figure { better, ..figure })
    }

    #[test]
    fn what_is_within_the_noise_of_equals_is_no_worse() {
        assert_eq!(verdict(Better::Higher, [0.8, 0.92, 1.1], [0.9, 1.0, 1.0]), Verdict::NoWorse);
        assert_eq!(verdict(Better::Lower, [0.8, 1.09, 1.2], [1.0, 1.0, 1.1]), Verdict::NoWorse);
    }

    #[test]
    fn what_is_beyond_it_is_worse_or_better_by_the_figures_direction() {
        let noise = [0.95, 1.0, 1.05];
        assert!(matches!(verdict(Better::Higher, [0.9; 3], noise), Verdict::Worse { .. }));
        assert!(matches!(verdict(Better::Lower, [1.1; 3], noise), Verdict::Worse { .. }));
        assert_eq!(verdict(Better::Higher, [1.1; 3], noise), Verdict::Better);
        assert_eq!(verdict(Better::Lower, [0.9; 3], noise), Verdict::Better);
    }

    #[test]
    fn noise_on_either_side_counts_as_which_equal_is_called_first_is_chance() {
        assert_eq!(verdict(Better::Lower, [1.1; 3], [0.9, 1.0, 1.0]), Verdict::NoWorse);
        assert_eq!(verdict(Better::Higher, [0.92; 3], [1.0, 1.0, 1.1]), Verdict::NoWorse);
    }

    #[test]
    fn one_part_in_a_hundred_is_no_difference_even_without_noise() {
        assert_eq!(verdict(Better::Lower, [1.009; 3], [1.0; 3]), Verdict::NoWorse);
        assert!(matches!(verdict(Better::Lower, [1.011; 3], [1.0; 3]), Verdict::Worse { .. }));
    }

    #[test]
    fn ratios_of_zeros_are_not_judged() {
        let zeros = [vec![0.0, 0.0, 0.0]];
        let figure = Figure::of("figure", "", &zeros, |value| *value);
        assert_eq!(Verdict::of(&figure), Verdict::Unknown);
        assert_eq!(verdict(Better::Lower, [9.0; 3], [0.0, 1.0, 1.0]), Verdict::Unknown);
        assert_eq!(verdict(Better::Lower, [9.0; 3], [f64::NAN, 1.0, 1.0]), Verdict::Unknown);
    }

    #[test]
    fn worse_says_by_how_much() {
        let text = |better, ratio| verdict(better, [ratio; 3], [0.9; 3]).text();
        assert_eq!(text(Better::Lower, 1.25), "worse beyond noise: 1.250 > 1.111");
        assert_eq!(text(Better::Higher, 0.75), "worse beyond noise: 0.750 < 0.900");
        assert_eq!(text(Better::Higher, 1.0), "no worse");
    }
}
