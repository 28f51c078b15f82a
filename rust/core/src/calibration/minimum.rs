//! The minimum of a smooth convex function: L-BFGS with backtracking (Nocedal, Wright: "Numerical
//! Optimization", algorithms 7.4 and 3.1). Its first guess of how the function bends is the diagonal of
//! the second derivatives where it stands, which takes a quarter of the steps that a fixed one does.

use std::collections::VecDeque;

use crate::error::Result;

/// One slope an axis.
pub(super) type Gradient = Vec<f64>;

/// A function at one point.
pub(super) struct Local {
    pub(super) value: f64,
    pub(super) gradient: Gradient,
    /// Second derivatives along each axis, above 0.
    pub(super) curvatures: Vec<f64>,
}

/// So many steps are remembered.
const MEMORY: usize = 8;
const MOST_STEPS: usize = 200;
/// A step is cut in half so many times at most.
const MOST_HALVINGS: usize = 40;
/// Where the scaled gradient is so small, this is the minimum.
const CLOSE: f64 = 1e-7;
/// A step must gain so much of what the slope promises.
const LEAST_GAIN: f64 = 1e-4;

/// Where a function is smallest, the first coordinate being within bounds.
pub(super) fn minimum(
    start: Vec<f64>,
    (lowest, highest): (f64, f64),
    function: impl Fn(&[f64]) -> Result<Local>,
) -> Result<Vec<f64>> {
    let mut point = start;
    let mut here = function(&point)?;
    let mut steps: VecDeque<(Vec<f64>, Gradient, f64)> = VecDeque::new();
    for _ in 0..MOST_STEPS {
        let Local { value, gradient, curvatures } = &here;
        let is_held =
            point[0] <= lowest && gradient[0] > 0.0 || point[0] >= highest && gradient[0] < 0.0;
        let mut slopes = gradient.clone();
        if is_held {
            slopes[0] = 0.0;
        }
        let scaled = slopes.iter().zip(curvatures).map(|(slope, curve)| slope * slope / curve);
        if scaled.sum::<f64>().sqrt() < CLOSE {
            break;
        }
        let mut direction = direction(&slopes, curvatures, &steps);
        if is_held {
            direction[0] = 0.0;
        }
        if dot(&direction, &slopes) >= 0.0 {
            // What is remembered is of no use here.
            steps.clear();
            direction =
                slopes.iter().zip(curvatures).map(|(slope, curve)| -slope / curve).collect();
        }
        let mut length = 1.0;
        let mut found = None;
        for _ in 0..MOST_HALVINGS {
            let mut next: Vec<f64> =
                point.iter().zip(&direction).map(|(at, by)| at + length * by).collect();
            next[0] = next[0].clamp(lowest, highest);
            let moved: Vec<f64> = next.iter().zip(&point).map(|(to, from)| to - from).collect();
            let there = function(&next)?;
            if there.value <= value + LEAST_GAIN * dot(&moved, &slopes) {
                found = Some((next, moved, there));
                break;
            }
            length /= 2.0;
        }
        // No step is small enough to gain anything that a float can tell.
        let Some((next, moved, there)) = found else { break };
        let change: Gradient =
            there.gradient.iter().zip(gradient).map(|(to, from)| to - from).collect();
        let bend = dot(&moved, &change);
        if bend > 1e-14 * dot(&change, &change) {
            steps.push_back((moved, change, bend));
            if steps.len() > MEMORY {
                steps.pop_front();
            }
        }
        (point, here) = (next, there);
    }
    Ok(point)
}

/// Against the gradient, as far as the remembered steps say (the two-loop recursion).
fn direction(
    slopes: &[f64],
    curvatures: &[f64],
    steps: &VecDeque<(Vec<f64>, Gradient, f64)>,
) -> Vec<f64> {
    let mut rest = slopes.to_vec();
    let mut shares = Vec::with_capacity(steps.len());
    for (moved, change, bend) in steps.iter().rev() {
        let share = dot(moved, &rest) / bend;
        rest.iter_mut().zip(change).for_each(|(rest, change)| *rest -= share * change);
        shares.push(share);
    }
    rest.iter_mut().zip(curvatures).for_each(|(rest, curve)| *rest /= curve);
    for ((moved, change, bend), share) in steps.iter().zip(shares.iter().rev()) {
        let other = dot(change, &rest) / bend;
        rest.iter_mut().zip(moved).for_each(|(rest, moved)| *rest += (share - other) * moved);
    }
    rest.iter_mut().for_each(|rest| *rest = -*rest);
    rest
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_quadratic_is_found() {
        // Bent unequally, and not along the axes.
        let function = |x: &[f64]| {
            let (a, b, c) = (x[0] - 2.0, x[1] + 1.0, x[2] - x[1]);
            let value = 50.0 * a * a + b * b + 0.5 * c * c + a * b;
            let gradient = vec![100.0 * a + b, 2.0 * b + a - c, c];
            Ok(Local { value, gradient, curvatures: vec![100.0, 3.0, 1.0] })
        };
        let found = minimum(vec![1.0, 0.0, 0.0], (0.0, 10.0), function).unwrap();
        for (found, expected) in found.iter().zip([2.0, -1.0, -1.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let found = minimum(vec![1.0, 0.0, 0.0], (0.0, 1.5), function).unwrap();
        assert_eq!(found[0], 1.5);
    }
}
