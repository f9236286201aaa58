//! YUYV, the pixels that plain cameras give, made RGB. A pure function; knows no camera.

/// YUYV (two pixels in four bytes: Y U Y V; BT.601, limited range) as RGB. `stride` bytes a row; none where it does not fit.
pub(super) fn rgb(width: u32, height: u32, stride: usize, bytes: &[u8]) -> Option<Vec<u8>> {
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

    #[test]
    fn yuyv_becomes_the_colours_that_it_stands_for() {
        // Black, white, and the two pixels of red and blue as BT.601 has them.
        assert_eq!(rgb(2, 1, 4, &[16, 128, 235, 128]).unwrap(), [0, 0, 0, 255, 255, 255]);
        let red = rgb(2, 1, 4, &[81, 90, 81, 240]).unwrap();
        assert!(red[0] >= 253 && red[1] <= 2 && red[2] <= 2, "{red:?}");
        let blue = rgb(2, 1, 4, &[41, 240, 41, 110]).unwrap();
        assert!(blue[2] >= 253 && blue[0] <= 2 && blue[1] <= 2, "{blue:?}");
        // Padded rows, and what does not fit.
        assert_eq!(rgb(2, 2, 6, &[16, 128, 16, 128, 7, 7, 235, 128, 235, 128]).unwrap(), [[0; 6], [255; 6]].concat());
        assert!(rgb(2, 2, 4, &[0; 7]).is_none() && rgb(3, 1, 8, &[0; 8]).is_none() && rgb(2, 0, 4, &[]).is_none());
    }
}
