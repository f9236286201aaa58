//! What is done to pixels before anybody looks at them: quarter turns, masks, and the formats that cameras give. Pure
//! functions on rows of RGB, `[height, width, 3]`, 8 bits; no files, no cameras.

/// Turns a picture clockwise by 0, 90, 180 or 270 degrees, and gives its new width and height.
///
/// # Panics
/// When `pixels` is not `3 * width * height` bytes long.
pub fn rotate(width: u32, height: u32, pixels: Vec<u8>, degrees: u16) -> (u32, u32, Vec<u8>) {
    let (columns, rows) = (width as usize, height as usize);
    assert_eq!(pixels.len(), 3 * columns * rows, "pixels of a picture of {width} × {height}");
    let from = |x: usize, y: usize| {
        let at = 3 * (y * columns + x);
        [pixels[at], pixels[at + 1], pixels[at + 2]]
    };
    match degrees {
        90 => {
            let turned = (0..columns).flat_map(|x| (0..rows).rev().map(move |y| (x, y))).flat_map(|(x, y)| from(x, y));
            (height, width, turned.collect())
        }
        180 => (width, height, pixels.rchunks_exact(3).flatten().copied().collect()),
        270 => {
            let turned = (0..columns).rev().flat_map(|x| (0..rows).map(move |y| (x, y))).flat_map(|(x, y)| from(x, y));
            (height, width, turned.collect())
        }
        _ => (width, height, pixels),
    }
}

/// Blacks out polygons: every pixel whose centre is inside one (by the even-odd rule), or on its left or upper edge. Corners
/// are in fractions of the picture. A corner that is no number masks nothing.
///
/// # Panics
/// When `pixels` is not `3 * width * height` bytes long.
pub fn mask(width: u32, height: u32, pixels: &mut [u8], polygons: &[Vec<[f64; 2]>]) {
    let (columns, rows) = (width as usize, height as usize);
    assert_eq!(pixels.len(), 3 * columns * rows, "pixels of a picture of {width} × {height}");
    let mut crossings = Vec::new();
    for polygon in polygons {
        for row in 0..rows {
            let y = (row as f64 + 0.5) / rows as f64;
            crossings.clear();
            for (index, &[x1, y1]) in polygon.iter().enumerate() {
                let [x0, y0] = polygon[(index + polygon.len() - 1) % polygon.len()];
                // Half open, so that a corner between two edges counts once.
                if (y0 <= y) != (y1 <= y) {
                    crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
                }
            }
            crossings.sort_by(f64::total_cmp);
            for pair in crossings.chunks_exact(2) {
                // The first column whose centre is not left of it; `as` ends at 0 and takes NaN for it.
                let column = |x: f64| ((x * columns as f64 - 0.5).ceil() as usize).min(columns);
                let (start, end) = (column(pair[0]), column(pair[1]));
                if start < end {
                    pixels[3 * (row * columns + start)..3 * (row * columns + end)].fill(0);
                }
            }
        }
    }
}

/// YUYV (two pixels in four bytes: Y U Y V; BT.601, limited range) as RGB. `stride` bytes a row; none where it does not fit.
pub fn yuyv(width: u32, height: u32, stride: usize, bytes: &[u8]) -> Option<Vec<u8>> {
    let row_bytes = 2 * width as usize;
    if width % 2 == 1 || stride < row_bytes || bytes.len() < stride * (height as usize).checked_sub(1)? + row_bytes {
        return None;
    }
    let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
    for row in bytes.chunks(stride).take(height as usize) {
        for four in row[..row_bytes].chunks_exact(4) {
            let (u, v) = (i32::from(four[1]) - 128, i32::from(four[3]) - 128);
            for luma in [four[0], four[2]] {
                // In 1/256: 1.164, 1.596, 0.813, 0.391, 2.018.
                let y = 298 * (i32::from(luma) - 16) + 128;
                let channel = |value: i32| (value >> 8).clamp(0, 255) as u8;
                rgb.extend([channel(y + 409 * v), channel(y - 208 * v - 100 * u), channel(y + 516 * u)]);
            }
        }
    }
    Some(rgb)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;

    /// 2 × 3, one number a pixel.
    fn numbered() -> Vec<u8> {
        (1..=6).flat_map(|n| [n; 3]).collect()
    }

    fn numbers(pixels: &[u8]) -> Vec<u8> {
        pixels.chunks(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        // 1 2        5 3 1
        // 3 4   ->   6 4 2
        // 5 6
        let (width, height, turned) = rotate(2, 3, numbered(), 90);
        assert_eq!((width, height, numbers(&turned)), (3, 2, vec![5, 3, 1, 6, 4, 2]));
        let (_, _, back) = rotate(3, 2, turned.clone(), 270);
        assert_eq!(back, numbered());
        let (_, _, half) = rotate(3, 2, turned, 90);
        assert_eq!(half, rotate(2, 3, numbered(), 180).2);
        assert_eq!(rotate(2, 3, numbered(), 0), (2, 3, numbered()));
    }

    #[test]
    fn a_mask_blacks_out_what_is_inside_it_and_nothing_else() {
        let masked = |polygons: &[Vec<[f64; 2]>]| {
            let mut pixels = vec![9; 3 * 16];
            mask(4, 4, &mut pixels, polygons);
            numbers(&pixels)
        };
        let left_half = vec![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];
        assert_eq!(masked(&[left_half.clone()]), [0, 0, 9, 9].repeat(4));
        let triangle = vec![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(masked(&[triangle]), [0, 0, 0, 9, 0, 0, 9, 9, 0, 9, 9, 9, 9, 9, 9, 9]);
        let all = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        assert_eq!(masked(&[all]), [0; 16]);
        assert_eq!(masked(&[]), [9; 16]);
        let nan = vec![[f64::NAN, 0.0], [f64::NAN, 1.0], [0.0, f64::NAN]];
        assert_eq!(masked(&[nan]), [9; 16]);
    }

    #[test]
    fn yuyv_becomes_the_colours_that_it_stands_for() {
        // Black, white, and the two pixels of red and blue as BT.601 has them.
        assert_eq!(yuyv(2, 1, 4, &[16, 128, 235, 128]).unwrap(), [0, 0, 0, 255, 255, 255]);
        let red = yuyv(2, 1, 4, &[81, 90, 81, 240]).unwrap();
        assert!(red[0] >= 253 && red[1] <= 2 && red[2] <= 2, "{red:?}");
        let blue = yuyv(2, 1, 4, &[41, 240, 41, 110]).unwrap();
        assert!(blue[2] >= 253 && blue[0] <= 2 && blue[1] <= 2, "{blue:?}");
        // Padded rows, and what does not fit.
        assert_eq!(yuyv(2, 2, 6, &[16, 128, 16, 128, 7, 7, 235, 128, 235, 128]).unwrap(), [[0; 6], [255; 6]].concat());
        assert!(yuyv(2, 2, 4, &[0; 7]).is_none() && yuyv(3, 1, 8, &[0; 8]).is_none() && yuyv(2, 0, 4, &[]).is_none());
    }

    proptest! {
        #[test]
        fn four_quarter_turns_are_none_and_masks_stay_inside(
            width in 1_u32..20, height in 1_u32..20,
            corners in prop::collection::vec([-2.0_f64..3.0, -2.0_f64..3.0], 3..9),
        ) {
            let pixels: Vec<u8> = (0..3 * width * height).map(|n| (n % 250 + 1) as u8).collect();
            let mut turned = (width, height, pixels.clone());
            for _ in 0..4 {
                turned = rotate(turned.0, turned.1, turned.2, 90);
            }
            prop_assert_eq!(turned, (width, height, pixels.clone()));
            let mut masked = pixels.clone();
            mask(width, height, &mut masked, &[corners]);
            for (before, after) in pixels.chunks(3).zip(masked.chunks(3)) {
                prop_assert!(after == before || after == [0; 3]);
            }
        }
    }
}
