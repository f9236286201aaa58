//! Groups of pictures by how they look: drawn scenes seen again, cut, turned and lit otherwise.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use acclimate_backbone::Thumbnail;
use proptest::prelude::*;

use super::likeness::Look;
use super::{GroupBy, GroupInput, groups};

/// Where a camera looks and in what light.
#[derive(Clone, Copy, Debug)]
struct View {
    /// Moved by a share of the picture.
    shift: [f64; 2],
    zoom: f64,
    /// In degrees.
    turn: f64,
    gain: f64,
    offset: f64,
}

const STRAIGHT: View = View { shift: [0.0, 0.0], zoom: 1.0, turn: 0.0, gain: 1.0, offset: 0.0 };

fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    }
}

/// Waves of every direction with amplitudes as in photographs, `[x, y, phase, size]`.
fn waves(seed: u64) -> Vec<[f64; 4]> {
    let mut next = random(seed);
    let mut wave = || {
        let (u, v) = (next() * 12.0 - 6.0, next() * 12.0 - 6.0);
        [u, v, next() * 6.3, 60.0 / (1.0 + u.hypot(v))]
    };
    (0..40).map(|_| wave()).collect()
}

fn draw(view: View, shade: impl Fn(f64, f64) -> f64) -> Thumbnail {
    let (sin, cos) = view.turn.to_radians().sin_cos();
    let pixels: Vec<u8> = (0..Thumbnail::PIXELS)
        .map(|index| {
            let [x, y] = [index % Thumbnail::SIDE, index / Thumbnail::SIDE]
                .map(|at| (at as f64 + 0.5) / Thumbnail::SIDE as f64 * 2.0 - 1.0);
            let (x, y) = (view.zoom * (cos * x - sin * y), view.zoom * (sin * x + cos * y));
            let value = shade(x + 2.0 * view.shift[0], y + 2.0 * view.shift[1]);
            (view.gain * value + view.offset).round().clamp(0.0, 255.0) as u8
        })
        .collect();
    Thumbnail::from_pixels(&pixels).unwrap()
}

fn scene(seed: u64, view: View) -> Thumbnail {
    let waves = waves(seed);
    draw(view, |x, y| {
        120.0 + waves.iter().map(|[u, v, at, size]| size * (3.0 * (u * x + v * y) + at).cos()).sum::<f64>()
    })
}

fn inputs(thumbnails: &[Thumbnail]) -> Vec<GroupInput> {
    let one = |(thumbnail, seq): (&Thumbnail, i64)| GroupInput {
        seq,
        phash: Some(thumbnail.perceptual_hash()),
        thumbnail: Some(thumbnail.clone()),
        source: format!("{seq}.jpg"),
        taken: None,
        group_key: None,
    };
    thumbnails.iter().zip(1..).map(one).collect()
}

fn grouped(thumbnails: &[Thumbnail]) -> Vec<usize> {
    groups(&inputs(thumbnails), GroupBy::Auto)
}

fn by_hash(thumbnails: &[Thumbnail]) -> Vec<usize> {
    let inputs = inputs(thumbnails).into_iter().map(|input| GroupInput { thumbnail: None, ..input });
    groups(&inputs.collect::<Vec<_>>(), GroupBy::Auto)
}

fn count(groups: &[usize]) -> usize {
    groups.iter().max().map_or(0, |last| last + 1)
}

/// The views of a hand that shakes.
fn shaken(seed: u64) -> View {
    let mut next = random(seed ^ 0xb5);
    let mut around = |far: f64| far * (2.0 * next() - 1.0);
    View {
        shift: [around(0.015), around(0.015)],
        zoom: 0.97 + around(0.02),
        turn: around(1.5),
        gain: 1.0 + around(0.1),
        offset: around(6.0),
    }
}

#[test]
fn a_scene_that_is_cut_turned_and_lit_otherwise_is_one_group_and_other_scenes_are_others() {
    let bursts = (0..40).flat_map(|seed| {
        std::iter::once(scene(seed, STRAIGHT)).chain((0..5).map(move |copy| scene(seed, shaken(6 * seed + copy))))
    });
    let bursts: Vec<Thumbnail> = bursts.collect();
    let expected: Vec<usize> = (0..40).flat_map(|group| [group; 6]).collect();
    assert_eq!(grouped(&bursts), expected);
    assert!(count(&by_hash(&bursts)) > 60, "the hash alone makes {} groups", count(&by_hash(&bursts)));
}

#[test]
fn a_fixed_camera_sees_more_than_one_moment() {
    // A thing at another place in front of the same wall every time, unlike only there.
    let wall = waves(1);
    let day = |seed: u64| {
        let mut next = random(seed);
        let (left, top) = (1.2 * next() - 0.6, 1.2 * next() - 0.6);
        draw(STRAIGHT, |x, y| {
            let behind: f64 = wall.iter().map(|[u, v, at, size]| size * (3.0 * (u * x + v * y) + at).cos()).sum();
            if (x - left).hypot(y - top) < 0.25 { 200.0 } else { 120.0 + behind }
        })
    };
    let days: Vec<Thumbnail> = (0..60).map(day).collect();
    let (found, by_hash) = (count(&grouped(&days)), count(&by_hash(&days)));
    assert!(found >= by_hash - 2, "{found} groups of 60, {by_hash} by the hash alone");
}

#[test]
fn a_camera_that_pans_slowly_is_not_one_group() {
    let pan = |step: u32| View { shift: [0.01 * f64::from(step), 0.0], ..STRAIGHT };
    let mut frames: Vec<Thumbnail> = (0..60).map(|step| scene(3, pan(step))).collect();
    frames.extend((10..40).map(|seed| scene(seed, STRAIGHT)));
    let found = grouped(&frames);
    assert_eq!(found[0], found[1], "one step on is the same moment");
    assert_ne!(found[0], found[59], "half a picture further on is another");
}

#[test]
fn what_is_blank_or_a_negative_or_mirrored_is_not_alike() {
    let negative = View { gain: -1.0, offset: 240.0, ..STRAIGHT };
    let mirrored = |seed: u64| {
        let pixels = scene(seed, STRAIGHT);
        let rows = pixels.pixels().chunks(Thumbnail::SIDE).flat_map(|row| row.iter().rev().copied());
        Thumbnail::from_pixels(&rows.collect::<Vec<u8>>()).unwrap()
    };
    let pictures: Vec<Thumbnail> =
        (0..8).flat_map(|seed| [scene(seed, STRAIGHT), scene(seed, negative), mirrored(seed)]).collect();
    assert_eq!(grouped(&pictures), (0..24).collect::<Vec<_>>());
    assert!(Look::new(&draw(STRAIGHT, |x, _| 100.0 + x)).is_none(), "two shades from side to side show nothing");
}

#[test]
fn what_came_without_a_thumbnail_is_grouped_as_it_was() {
    let copies: Vec<Thumbnail> = (0..6).map(|copy| scene(5, shaken(copy))).collect();
    let mut samples = inputs(&copies);
    let alone: Vec<GroupInput> = samples.iter().map(|input| GroupInput { thumbnail: None, ..input.clone() }).collect();
    let before = groups(&alone, GroupBy::Auto);
    for sample in &mut samples[..3] {
        sample.thumbnail = None;
    }
    assert_eq!(groups(&samples, GroupBy::Auto)[..3], before[..3]);
}

/// Scenes and views of them, in any order.
fn album() -> impl Strategy<Value = Vec<Thumbnail>> {
    prop::collection::vec((0..12_u64, 0..1000_u64), 0..40)
        .prop_map(|shots| shots.into_iter().map(|(seed, view)| scene(seed, shaken(view))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_the_slice_does_not_matter(album in album(), rotation in 0..40_usize) {
        let samples = inputs(&album);
        let mut turned = samples.clone();
        turned.reverse();
        turned.rotate_left(rotation % samples.len().max(1));
        let (found, found_turned) = (groups(&samples, GroupBy::Auto), groups(&turned, GroupBy::Auto));
        for (sample, group) in turned.iter().zip(found_turned) {
            prop_assert_eq!(found[usize::try_from(sample.seq - 1).unwrap()], group);
        }
    }

    #[test]
    fn a_later_picture_changes_no_earlier_group_between_powers_of_two(album in album()) {
        let samples = inputs(&album);
        for n in 1..samples.len() {
            if !(n + 1).is_power_of_two() {
                let (fewer, more) = (groups(&samples[..n], GroupBy::Auto), groups(&samples[..=n], GroupBy::Auto));
                prop_assert_eq!(&fewer[..], &more[..n]);
            }
        }
    }
}
