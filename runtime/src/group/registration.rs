//! How little two small pictures differ once one is moved, turned, stretched and lit so as to lie over the other.
//!
//! Knows nothing about groups or what counts as alike. Deterministic: sums and products in one order.
//!
//! Gauss-Newton on the eight numbers of an affine map, a gain and an offset (Lucas & Kanade 1981; Baker & Matthews 2004,
//! the forwards additive algorithm), from the map that changes nothing. Pictures are smoothed first: a copy that was cut
//! or turned is sampled anew, and what its pixels then differ by is mostly detail that 32 pixels cannot hold.

use acclimate_backbone::Thumbnail;

const SIDE: usize = Thumbnail::SIDE;
/// Pixels from one point of comparison to the next: a smoothed picture has no more detail than that.
const STRIDE: usize = 2;
const POINTS: usize = (SIDE / STRIDE) * (SIDE / STRIDE);
/// Steps of Gauss-Newton; a cut of 8 % and a turn of 3° need three.
const STEPS: usize = 4;
/// A difference that two steps leave above this does not become small.
const HOPELESS: f64 = 0.25;
/// Share of the points that must lie in both pictures.
const OVERLAP: f32 = 0.7;
/// Numbers of the affine map, and all that are fitted.
const MAP: usize = 6;
const FITTED: usize = MAP + 2;
/// Makes the system solvable where a picture has no structure one way: relative, and absolute in squared shades.
const DAMPING: (f64, f64) = (1e-3, 1e-6);

/// A thumbnail made ready: smoothed, of mean 0, `[SIDE, SIDE]`.
#[derive(Clone, Debug)]
pub(super) struct Smooth(Box<[f32; Thumbnail::PIXELS]>);

impl Smooth {
    /// Each pixel with its neighbours, 1 : 2 : 1 each way; edges are repeated.
    pub(super) fn new(thumbnail: &Thumbnail) -> Self {
        let pixels = thumbnail.pixels();
        // With a border, so that every pixel has its neighbours.
        let mut framed = [[0_u16; SIDE + 2]; SIDE + 2];
        for (row, framed) in framed.iter_mut().enumerate() {
            let from = &pixels[row.saturating_sub(1).min(SIDE - 1) * SIDE..][..SIDE];
            framed[0] = from[0].into();
            framed[SIDE + 1] = from[SIDE - 1].into();
            framed[1..=SIDE].iter_mut().zip(from).for_each(|(to, &pixel)| *to = pixel.into());
        }
        let mut smooth = Box::new([0.0_f32; Thumbnail::PIXELS]);
        for (rows, smooth) in framed.windows(3).zip(smooth.chunks_exact_mut(SIDE)) {
            let column: [u16; SIDE + 2] = std::array::from_fn(|x| rows[0][x] + 2 * rows[1][x] + rows[2][x]);
            for (x, value) in smooth.iter_mut().enumerate() {
                *value = f32::from(column[x] + 2 * column[x + 1] + column[x + 2]) / 16.0;
            }
        }
        let mean = smooth.iter().sum::<f32>() / Thumbnail::PIXELS as f32;
        smooth.iter_mut().for_each(|value| *value -= mean);
        Self(smooth)
    }

    /// Value and slopes per pixel between the four pixels around a point; none outside.
    fn at(&self, x: f32, y: f32) -> Option<[f32; 3]> {
        let last = (SIDE - 1) as f32;
        if !((0.0..=last).contains(&x) && (0.0..=last).contains(&y)) {
            return None;
        }
        let (left, top) = ((x as usize).min(SIDE - 2), (y as usize).min(SIDE - 2));
        let (right_share, below_share) = (x - left as f32, y - top as f32);
        let corner = |dx: usize, dy: usize| self.0[(top + dy) * SIDE + left + dx];
        let [a, b, c, d] = [corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)];
        let (above, below) = (a + (b - a) * right_share, c + (d - c) * right_share);
        let slope_x = (b - a) * (1.0 - below_share) + (d - c) * below_share;
        let slope_y = (c - a) * (1.0 - right_share) + (d - b) * right_share;
        Some([above + (below - above) * below_share, slope_x, slope_y])
    }
}

/// The share of `b`'s contrast that `a`, laid over it as well as can be, does not explain: 0 where they are one picture,
/// 1 where they have nothing to do with each other.
pub(super) fn difference(a: &Smooth, b: &Smooth) -> f64 {
    // Where a point of `b` lies in `a`, both from −1 to 1.
    let mut map = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let mut least = 1.0_f64;
    for step in 0..=STEPS {
        let Some(system) = System::new(a, b, &map) else { break };
        least = least.min(system.unexplained());
        if step == STEPS || step >= 2 && least > HOPELESS {
            break;
        }
        let Some(change) = system.solve() else { break };
        map.iter_mut().zip(change).for_each(|(number, change)| *number += change);
    }
    least
}

/// The least-squares problem at one map: sums over the points.
struct System {
    /// Products of the columns with one another, on and below the diagonal.
    normal: [[f32; FITTED]; FITTED],
    /// Products of the columns with `b`.
    right: [f32; FITTED],
    /// Squares of `b`.
    squares: f32,
}

/// Columns of [`System`]: first those of the map, then what `a` is, then 1.
const VALUE: usize = MAP;
const ONE: usize = MAP + 1;

impl System {
    /// None where too little of the two overlaps.
    fn new(a: &Smooth, b: &Smooth, map: &[f32; MAP]) -> Option<Self> {
        const HALF: f32 = (SIDE - 1) as f32 / 2.0;
        // By columns, so that products are sums over points; a point outside `a` is 0 in all of them.
        let (mut columns, mut target) = ([[0.0_f32; POINTS]; FITTED], [0.0_f32; POINTS]);
        let mut point = 0;
        for row in (0..SIDE).step_by(STRIDE) {
            let y = (row as f32 - HALF) / HALF;
            for column in (0..SIDE).step_by(STRIDE) {
                let x = (column as f32 - HALF) / HALF;
                let from = (map[0] * x + map[1] * y + map[2], map[3] * x + map[4] * y + map[5]);
                if let Some([value, across, down]) = a.at((from.0 + 1.0) * HALF, (from.1 + 1.0) * HALF) {
                    // Slopes from −1 to 1 as the map is.
                    let (across, down) = (across * HALF, down * HALF);
                    let row_of = [across * x, across * y, across, down * x, down * y, down, value, 1.0];
                    for (column, number) in columns.iter_mut().zip(row_of) {
                        column[point] = number;
                    }
                    target[point] = b.0[row * SIDE + column];
                }
                point += 1;
            }
        }
        let mut system = Self { normal: [[0.0; FITTED]; FITTED], right: [0.0; FITTED], squares: dot(&target, &target) };
        for i in 0..FITTED {
            for j in 0..=i {
                system.normal[i][j] = dot(&columns[i], &columns[j]);
            }
            system.right[i] = dot(&columns[i], &target);
        }
        (system.normal[ONE][ONE] >= OVERLAP * POINTS as f32).then_some(system)
    }

    /// What a gain and an offset alone leave of `b`'s contrast.
    fn unexplained(&self) -> f64 {
        let [n, a, aa] = [self.normal[ONE][ONE], self.normal[ONE][VALUE], self.normal[VALUE][VALUE]].map(f64::from);
        let [b, ab, bb] = [self.right[ONE], self.right[VALUE], self.squares].map(f64::from);
        // A negative is another picture.
        let together = (ab - a * b / n).max(0.0);
        let apart = (aa - a * a / n) * (bb - b * b / n);
        if apart > 0.0 { (1.0 - together * together / apart).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// By how much the map is to change; none where nothing of `a` is in `b`.
    fn solve(&self) -> Option<[f32; MAP]> {
        let mut factor = self.normal.map(|row| row.map(f64::from));
        for (i, row) in factor.iter_mut().enumerate() {
            row[i] += DAMPING.0 * row[i] + DAMPING.1;
        }
        // Cholesky, in place below the diagonal.
        for i in 0..FITTED {
            for j in 0..=i {
                let rest = factor[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
                factor[i][j] = if i > j {
                    rest / factor[j][j]
                } else if rest > 0.0 {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        let mut x = self.right.map(f64::from);
        for i in 0..FITTED {
            x[i] = (x[i] - (0..i).map(|j| factor[i][j] * x[j]).sum::<f64>()) / factor[i][i];
        }
        for i in (0..FITTED).rev() {
            x[i] = (x[i] - (i + 1..FITTED).map(|j| factor[j][i] * x[j]).sum::<f64>()) / factor[i][i];
        }
        // The columns of the map lack the gain.
        let gain = x[VALUE];
        let change = std::array::from_fn(|i| (x[i] / gain) as f32);
        (gain > 0.0 && change.iter().all(|number: &f32| number.abs() < 1.0)).then_some(change)
    }
}

/// Of two columns, in eight sums, which one instruction adds to.
fn dot(a: &[f32; POINTS], b: &[f32; POINTS]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
