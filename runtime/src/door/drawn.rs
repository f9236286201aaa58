//! A window of readings as a picture: a line for each channel, all on one scale. Pure.

use std::fmt::Write as _;

use acclimate_backbone::signal::Window;

use crate::daemon::DRAWN;

/// The media type of the picture.
pub(super) const SVG: &str = "image/svg+xml";

/// Channels that are drawn at most, and points of a line.
const CHANNELS: usize = 32;
const POINTS: usize = 640;
/// Around the lines.
const MARGIN: f32 = 8.0;

/// The picture of a window as it is stored; none of what is no window.
pub(super) fn drawn(npy: &[u8]) -> Option<String> {
    let window = Window::from_npy(npy)?;
    let (channels, length) = (window.channels(), window.length());
    let [width, height] = DRAWN.map(|side| side as f32);
    let (low, high) = window
        .readings()
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), number| (low.min(*number), high.max(*number)));
    // In halves, so that the range of what is finite is finite.
    let span = (high / 2.0 - low / 2.0).max(f32::MIN_POSITIVE);
    let flat = high <= low;
    let mut text = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" fill=\"none\">");
    for channel in 0..channels.min(CHANNELS) {
        let hue = 210 + 360 * channel / channels.min(CHANNELS);
        let _ = write!(text, "<polyline stroke=\"hsl({} 65% 50%)\" stroke-width=\"2\" points=\"", hue % 360);
        for place in (0..length).step_by(length.div_ceil(POINTS)) {
            let number = window.readings()[place * channels + channel];
            let share = if flat { 0.5 } else { (number / 2.0 - low / 2.0) / span };
            let x = MARGIN + (width - 2.0 * MARGIN) * place as f32 / (length.max(2) - 1) as f32;
            let y = height - MARGIN - (height - 2.0 * MARGIN) * share;
            let _ = write!(text, "{x:.1},{y:.1} ");
        }
        text.push_str("\"/>");
    }
    text.push_str("</svg>");
    Some(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn picture(channels: usize, numbers: Vec<f32>) -> String {
        drawn(&Window::new(channels, numbers).unwrap().to_npy()).unwrap()
    }

    #[test]
    fn each_channel_is_a_line_from_the_lowest_to_the_highest_number() {
        let picture = picture(2, vec![0.0, 5.0, 10.0, 5.0]);
        assert_eq!(picture.matches("<polyline").count(), 2);
        assert!(picture.contains("points=\"8.0,232.0 632.0,8.0 \""), "{picture}");
        assert!(picture.contains("points=\"8.0,120.0 632.0,120.0 \""), "{picture}");
    }

    #[test]
    fn whatever_the_numbers_there_is_a_picture_of_bounded_size() {
        for numbers in [vec![3.0], vec![f32::MAX, f32::MIN], vec![0.0; 4], (0..100_000_u32).map(|n| n as f32).collect()]
        {
            let picture = picture(1, numbers);
            assert!(!picture.contains("NaN") && !picture.contains("inf") && picture.len() < 20_000, "{picture}");
        }
        assert!(picture(100, vec![1.0; 200]).matches("<polyline").count() == CHANNELS);
        assert_eq!(drawn(b"\x89PNG"), None);
    }
}
