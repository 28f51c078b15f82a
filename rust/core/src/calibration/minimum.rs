//! The minimum of a smooth convex function: L-BFGS with a known scale for each axis, and backtracking
//! (Nocedal, Wright: "Numerical Optimization", algorithms 7.4 and 3.1).

use std::collections::VecDeque;

use crate::error::Result;

/// One slope an axis.
pub(super) type Gradient = Vec<f64>;

/// So many steps are remembered.
const MEMORY: usize = 8;
const MOST_STEPS: usize = 200;
/// A step is cut in half so many times at most.
const MOST_HALVINGS: usize = 40;
/// Where the scaled gradient is so small, this is the minimum.
const CLOSE: f64 = 1e-7;
/// A step must gain so much of what the slope promises.
const LEAST_GAIN: f64 = 1e-4;

/// Where a function is smallest, the first coordinate being within bounds. `curvatures` are about how
/// much it bends along each axis.
pub(super) fn minimum(
    start: Vec<f64>,
    curvatures: &[f64],
    (lowest, highest): (f64, f64),
    function: impl Fn(&[f64]) -> Result<(f64, Gradient)>,
) -> Result<Vec<f64>> {
    let mut point = start;
    let (mut value, mut gradient) = function(&point)?;
    let mut steps: VecDeque<(Vec<f64>, Gradient, f64)> = VecDeque::new();
    for _ in 0..MOST_STEPS {
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
            let (lower, slopes_there) = function(&next)?;
            if lower <= value + LEAST_GAIN * dot(&moved, &slopes) {
                found = Some((next, moved, lower, slopes_there));
                break;
            }
            length /= 2.0;
        }
        // No step is small enough to gain anything that a float can tell.
        let Some((next, moved, lower, slopes_there)) = found else { break };
        let change: Gradient =
            slopes_there.iter().zip(&gradient).map(|(to, from)| to - from).collect();
        let bend = dot(&moved, &change);
        if bend > 1e-14 * dot(&change, &change) {
            steps.push_back((moved, change, bend));
            if steps.len() > MEMORY {
                steps.pop_front();
            }
        }
        (point, value, gradient) = (next, lower, slopes_there);
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
    // How the known curvatures compare to what the last step met.
    let scale = steps.back().map_or(1.0, |(_, change, bend)| {
        let scaled = change.iter().zip(curvatures).map(|(change, curve)| change * change / curve);
        bend / scaled.sum::<f64>()
    });
    rest.iter_mut().zip(curvatures).for_each(|(rest, curve)| *rest *= scale / curve);
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
            Ok((value, vec![100.0 * a + b, 2.0 * b + a - c, c]))
        };
        let found = minimum(vec![1.0, 0.0, 0.0], &[1.0; 3], (0.0, 10.0), function).unwrap();
        for (found, expected) in found.iter().zip([2.0, -1.0, -1.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let found = minimum(vec![1.0, 0.0, 0.0], &[1.0; 3], (0.0, 1.5), function).unwrap();
        assert_eq!(found[0], 1.5);
    }
}
