//! The least of a loss along a path of penalties, from few of them. Knows nothing of what is fitted.
//!
//! Leave-out losses are smooth and, but for noise, have one valley in the logarithm of the penalty, so the path is
//! sampled at every few penalties and the valley's floor found by the parabola through three of them.

/// Losses closer than this are equal, and the larger penalty wins.
const TIE: f64 = 1e-9;

/// How much of a path is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From a start that lies near the floor, where losses are dear: what the parabola says is taken without a look.
    Near(usize),
    /// Downhill from a start.
    Downhill(usize),
    /// Everywhere, where losses are cheap and bumpy: a path of few samples has more than one valley.
    Thorough,
}

impl Reach {
    /// Penalties between those that are looked at first.
    fn stride(self) -> usize {
        if matches!(self, Self::Near(_)) { 2 } else { 3 }
    }
}

/// The index in `0..length`, of a path from large penalties to small, at which `loss` is least: all at every stride are
/// looked at where `Thorough`, and the best one's neighbours; else those downhill from the start, and what the parabola says.
pub(crate) fn search<E>(
    length: usize,
    reach: Reach,
    mut loss: impl FnMut(usize) -> Result<f64, E>,
) -> Result<usize, E> {
    let mut known: Vec<Option<f64>> = vec![None; length];
    let mut look = |at: usize, known: &mut Vec<Option<f64>>| match known[at] {
        Some(loss) => Ok(loss),
        None => loss(at).map(|loss| *known[at].insert(loss)),
    };
    let last = length.saturating_sub(1);
    let (stride, thorough) = (reach.stride(), reach == Reach::Thorough);
    let mut best = match reach {
        Reach::Near(start) | Reach::Downhill(start) => start.min(last),
        Reach::Thorough => {
            let (mut best, mut least) = (0, f64::INFINITY);
            for at in (0..length).step_by(stride) {
                let loss = look(at, &mut known)?;
                if loss < least - TIE {
                    (best, least) = (at, loss);
                }
            }
            best
        }
    };
    // Downhill until both neighbours lie higher, or the path ends.
    loop {
        let (up, down) = (best.saturating_sub(stride), (best + stride).min(last));
        let here = look(best, &mut known)?;
        if down > best && look(down, &mut known)? < here - TIE {
            best = down;
        } else if up < best && look(up, &mut known)? <= here + TIE {
            best = up;
        } else {
            break;
        }
    }
    let (up, down) = (best.saturating_sub(stride), (best + stride).min(last));
    if up < best && best < down {
        let [a, b, c] = [look(up, &mut known)?, look(best, &mut known)?, look(down, &mut known)?];
        let (left, right) = ((best - up) as f64, (down - best) as f64);
        // The vertex of the parabola through three points.
        let (to_left, to_right) = ((a - b) / left, (c - b) / right);
        let vertex = best as f64 + 0.5 * (to_left * right - to_right * left) / (to_left + to_right);
        if vertex.is_finite() {
            let near = (vertex.round() as usize).clamp(up, down);
            if matches!(reach, Reach::Near(_)) {
                return Ok(near);
            }
            let loss = look(near, &mut known)?;
            if loss < b - TIE || (near < best && loss <= b + TIE) {
                best = near;
            }
        }
    }
    // The valley's floor to the penalty.
    loop {
        let (up, down) = (best.saturating_sub(1), (best + 1).min(last));
        let here = look(best, &mut known)?;
        if thorough && down > best && look(down, &mut known)? < here - TIE {
            best = down;
        } else if thorough && up < best && look(up, &mut known)? <= here + TIE {
            best = up;
        } else {
            return Ok(best);
        }
    }
}

/// What the parabola says is taken without a look this near to what was looked at, and followed as far as this.
const SURE: usize = 2;
const FAR: f64 = 4.0;

/// The same where a look tells the losses of a penalty's two neighbours as well: `losses` gives those at an index less one, at the
/// index and at the index plus one, beyond the path's ends too. Newton's method, with a parabola through the three.
pub(crate) fn descend<E>(
    length: usize,
    start: usize,
    mut losses: impl FnMut(usize) -> Result<[f64; 3], E>,
) -> Result<usize, E> {
    let last = length.saturating_sub(1);
    let mut looked = Vec::new();
    let mut at = start.min(last);
    loop {
        looked.push(at);
        let [up, here, down] = losses(at)?;
        let (slope, bend) = (0.5 * (down - up), up - 2.0 * here + down);
        let step = if bend > TIE {
            (-slope / bend).clamp(-FAR, FAR)
        } else if slope < -TIE {
            FAR
        } else {
            -FAR
        };
        if !bend.is_finite() {
            return Ok(at);
        }
        let next = (at as f64 + step).round().clamp(0.0, last as f64) as usize;
        if next.abs_diff(at) <= SURE || looked.contains(&next) {
            return Ok(next);
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_valleys_floor_is_found_wherever_it_lies_from_few_penalties() {
        for floor in 0..22_usize {
            for (reach, most) in [(Reach::Thorough, 13), (Reach::Downhill(8), 8), (Reach::Near(floor.max(1) - 1), 4)] {
                let mut looked = 0;
                let best = search(22, reach, |at| {
                    looked += 1;
                    Ok::<_, ()>((at as f64 - floor as f64).powi(2))
                });
                let best = best.unwrap();
                assert!(best.abs_diff(floor) <= usize::from(reach != Reach::Thorough), "{reach:?} {floor}: {best}");
                assert!(looked <= most, "{reach:?} {floor}: {looked}");
            }
        }
    }

    #[test]
    fn a_valleys_floor_is_found_from_what_few_looks_tell_of_their_neighbours() {
        let around = |at: usize| [at as f64 - 1.0, at as f64, at as f64 + 1.0];
        for floor in 0..22_usize {
            for start in 0..22_usize {
                let mut looked = 0;
                let best = descend(22, start, |at| {
                    looked += 1;
                    // Steeper on one side than on the other.
                    Ok::<_, ()>(around(at).map(|at| (0.1 * (at - floor as f64)).exp() - 0.1 * at))
                });
                assert!(best.unwrap().abs_diff(floor) <= 1, "{start} {floor}: {best:?}");
                assert!(looked <= 1 + start.abs_diff(floor).div_ceil(3), "{start} {floor}: {looked}");
            }
        }
        assert_eq!(descend(22, 8, |_| Ok::<_, ()>([1.0; 3])), Ok(0));
        assert_eq!(descend(22, 8, |at| Ok::<_, ()>(around(at).map(|at| -at))), Ok(21));
        assert_eq!(descend(22, 8, |_| Ok::<_, ()>([f64::NAN; 3])), Ok(8));
        assert_eq!(descend(22, 8, |_| Err::<[f64; 3], _>("broken")), Err("broken"));
        // Each of two says that the floor lies at the other one.
        let both = |at: usize| Ok::<_, ()>(if at == 8 { [8.0, 4.5, 2.0] } else { [2.0, 4.5, 8.0] });
        assert_eq!(descend(22, 8, both), Ok(8));
    }

    #[test]
    fn equal_losses_go_to_the_larger_penalty() {
        for reach in [Reach::Downhill(8), Reach::Thorough, Reach::Near(3)] {
            assert_eq!(search(22, reach, |_| Ok::<_, ()>(1.0)), Ok(0));
        }
        assert_eq!(search(22, Reach::Downhill(8), |_| Err::<f64, _>("broken")), Err("broken"));
    }
}
