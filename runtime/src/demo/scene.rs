//! One picture of the belt: what stands in it, and the colour of any point.
//!
//! Knows nothing about sensors or streams. Coordinates run from -1 to 1 over the picture; a part has its
//! own, turned and scaled so that its radius is 1.
//!
//! At a point: is it on the part (a signed distance)? Then brushed metal with bevelled edges, dirt and perhaps a defect;
//! else ribbed rubber with the part's shadow. Both under a light with a direction, a colour and a strength.

use std::f32::consts::{PI, TAU};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::belt::{Class, Light, SIDE};

#[derive(Clone, Copy)]
enum Kind {
    Bracket,
    Gear { teeth: f32 },
    Washer { hole: f32 },
}

/// A line on the part's face, in its coordinates.
struct Scratch {
    from: [f32; 2],
    along: [f32; 2],
    length: f32,
    bend: f32,
    width: f32,
    depth: f32,
}

pub(super) struct Scene {
    kind: Kind,
    centre: [f32; 2],
    turn: [f32; 2],
    size: f32,
    metal: f32,
    seed: u32,
    belt_shift: f32,
    scratches: Vec<Scratch>,
    /// Centre and radius of a bite.
    chip: Option<[f32; 3]>,
    stains: [[f32; 3]; 3],
    /// Unit vector in the picture that points to the light.
    to_light: [f32; 2],
    colour: [f32; 3],
    strength: f32,
    shadow: f32,
    /// Deviation of the sensor's noise.
    pub(super) noise: f32,
}

impl Scene {
    pub(super) fn new(random: &mut ChaCha8Rng, class: Class, light: Light) -> Self {
        let mut within = |low: f32, high: f32| random.random_range(low..high);
        let kind = match within(0.0, 3.0) as u32 {
            0 => Kind::Bracket,
            1 => Kind::Gear { teeth: within(9.0, 15.0).floor() },
            _ => Kind::Washer { hole: within(0.35, 0.5) },
        };
        let angle = within(0.0, TAU);
        let light_angle = light.mix(-2.2, -1.1) + within(-0.15, 0.15);
        let warmth = light.evening + within(-0.06, 0.06);
        let mut scene = Self {
            kind,
            centre: [within(-0.1, 0.1), within(-0.1, 0.1)],
            turn: [angle.cos(), angle.sin()],
            size: within(0.76, 0.84),
            metal: within(0.42, 0.56),
            seed: within(0.0, 1e6) as u32,
            belt_shift: within(0.0, 1.0),
            scratches: Vec::new(),
            chip: None,
            stains: std::array::from_fn(|_| [within(-1.0, 1.0), within(-1.0, 1.0), within(0.02, 0.3)]),
            to_light: [light_angle.cos(), light_angle.sin()],
            colour: [1.0 + 0.035 * warmth, 1.0 - 0.045 * warmth, 1.0 - 0.15 * warmth],
            strength: light.mix(1.0, 0.85) * within(0.93, 1.07),
            shadow: light.mix(0.07, 0.13),
            noise: light.mix(0.010, 0.013),
        };
        match class {
            Class::Ok => {}
            Class::Scratch => {
                let angle = within(0.0, PI);
                for _ in 0..within(5.0, 9.0) as usize {
                    scene.scratches.push(scene.scratch(angle, &mut within));
                }
            }
            Class::Chipped => {
                // Walk outwards until the edge, then bite.
                let direction = within(0.0, TAU);
                let (dx, dy) = (direction.cos(), direction.sin());
                let mut reach = 1.4;
                while reach > 0.3 && scene.outline([dx * reach, dy * reach]) > 0.0 {
                    reach -= 0.01;
                }
                scene.chip = Some([dx * (reach + 0.03), dy * (reach + 0.03), within(0.26, 0.36)]);
            }
        }
        scene
    }

    /// A scratch whose middle lies well on the face.
    fn scratch(&self, angle: f32, within: &mut impl FnMut(f32, f32) -> f32) -> Scratch {
        let mut middle = [0.0, 0.0];
        for _ in 0..200 {
            middle = [within(-1.0, 1.0), within(-1.0, 1.0)];
            if self.outline(middle) < -0.12 {
                break;
            }
        }
        let angle = angle + within(-0.35, 0.35);
        let (along, length) = ([angle.cos(), angle.sin()], within(0.5, 1.1));
        let from = [middle[0] - along[0] * length / 2.0, middle[1] - along[1] * length / 2.0];
        Scratch { from, along, length, bend: within(-0.15, 0.15), width: within(0.02, 0.036), depth: within(0.7, 1.2) }
    }

    /// Signed distance to the part as designed, in units of its radius: negative inside.
    fn outline(&self, [u, v]: [f32; 2]) -> f32 {
        let radius = u.hypot(v);
        let box_at = |x: f32, y: f32, w: f32, h: f32| ((u - x).abs() - w).max((v - y).abs() - h);
        let hole = |x: f32, y: f32, r: f32| r - (u - x).hypot(v - y);
        match self.kind {
            Kind::Bracket => box_at(-0.55, 0.0, 0.3, 0.85)
                .min(box_at(0.05, 0.55, 0.9, 0.3))
                .max(hole(-0.55, -0.5, 0.14))
                .max(hole(0.6, 0.55, 0.14)),
            Kind::Gear { teeth } => {
                let tooth = ((v.atan2(u) * teeth).sin() * 3.0).clamp(-1.0, 1.0) * 0.08;
                (radius - 0.9 - tooth).max(0.28 - radius)
            }
            Kind::Washer { hole } => (radius - 0.95).max(hole - radius),
        }
    }

    /// Signed distance to the part as it is, with its bite.
    fn distance(&self, at: [f32; 2]) -> f32 {
        let outline = self.outline(at);
        self.chip.map_or(outline, |[x, y, r]| {
            let rough = self.value_noise(at[0] * 14.0, at[1] * 14.0, 5) - 0.5;
            outline.max(r + rough * 0.09 - (at[0] - x).hypot(at[1] - y))
        })
    }

    fn to_part(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (x, y) = ((x - self.centre[0]) / self.size, (y - self.centre[1]) / self.size);
        [x * self.turn[0] + y * self.turn[1], y * self.turn[0] - x * self.turn[1]]
    }

    /// Colour of a point of the picture.
    pub(super) fn at(&self, point: [f32; 2]) -> [f32; 3] {
        let at = self.to_part(point);
        let distance = self.distance(at);
        // The edge is a pixel wide.
        let cover = (0.5 - distance * self.size * SIDE as f32 / 2.0).clamp(0.0, 1.0);
        let mut tone = [0.0; 3];
        if cover < 1.0 {
            self.rubber(point, &mut tone, 1.0 - cover);
        }
        if cover > 0.0 {
            self.steel(at, distance, &mut tone, cover);
        }
        let falloff = 1.0 + 0.25 * (point[0] * self.to_light[0] + point[1] * self.to_light[1]);
        let vignette = 1.0 - 0.16 * (point[0] * point[0] + point[1] * point[1]);
        let light = self.strength * falloff * vignette;
        std::array::from_fn(|channel| tone[channel] * self.colour[channel] * light)
    }

    fn rubber(&self, point: [f32; 2], tone: &mut [f32; 3], share: f32) {
        let towards = [point[0] + self.to_light[0] * self.shadow, point[1] + self.to_light[1] * self.shadow];
        let blocked = (0.5 - self.distance(self.to_part(towards)) * 7.0).clamp(0.0, 1.0);
        let rib = (((point[1] + self.belt_shift) * 9.0).fract() - 0.5).abs();
        let grain = self.value_noise(point[0] * 60.0, point[1] * 60.0, 1) * 0.03;
        let scuff = self.value_noise(point[0] * 2.5, point[1] * 14.0, 2) * 0.06;
        let value = (0.09 + grain + scuff - if rib < 0.08 { 0.04 } else { 0.0 }) * (1.0 - 0.65 * blocked) * share;
        for (channel, tint) in tone.iter_mut().zip([0.96, 1.0, 1.06]) {
            *channel += value * tint;
        }
    }

    fn steel(&self, at: [f32; 2], distance: f32, tone: &mut [f32; 3], share: f32) {
        // The light in the part's coordinates.
        let lit = [
            self.to_light[0] * self.turn[0] + self.to_light[1] * self.turn[1],
            self.to_light[1] * self.turn[0] - self.to_light[0] * self.turn[1],
        ];
        let brushed = (self.value_noise(at[0] * 3.0, at[1] * 90.0, 3) - 0.5) * 0.06 * (0.4 + lit[1].abs());
        let mut value = self.metal + brushed + (self.value_noise(at[0] * 2.0, at[1] * 2.0, 4) - 0.5) * 0.1;
        // Bevel: the edge leans outwards, towards the light or away from it.
        if distance > -0.06 {
            let step = 0.02;
            let slope =
                [self.distance([at[0] + step, at[1]]) - distance, self.distance([at[0], at[1] + step]) - distance];
            let facing = (slope[0] * lit[0] + slope[1] * lit[1]) / step;
            value += 0.3 * facing.clamp(-1.0, 1.0) * (distance + 0.06) / 0.06;
        }
        for [x, y, radius] in self.stains {
            let gone = ((at[0] - x).hypot(at[1] - y) / radius).min(1.0);
            value *= 1.0 - 0.35 * (1.0 - gone * gone);
        }
        if let Some([x, y, radius]) = self.chip {
            // The fracture is rough: grains face every way.
            let behind = (at[0] - x).hypot(at[1] - y) - radius;
            let grain = self.value_noise(at[0] * 22.0, at[1] * 22.0, 6) - 0.45;
            value += 1.3 * grain * (1.0 - behind / 0.16).clamp(0.0, 1.0);
        }
        for scratch in &self.scratches {
            let [dx, dy] = [at[0] - scratch.from[0], at[1] - scratch.from[1]];
            let along = (dx * scratch.along[0] + dy * scratch.along[1]) / scratch.length;
            if (0.0..1.0).contains(&along) {
                let across = dy * scratch.along[0] - dx * scratch.along[1] - scratch.bend * along * (1.0 - along);
                // A groove: one wall faces the light, the other hides from it.
                let facing = lit[1] * scratch.along[0] - lit[0] * scratch.along[1];
                let wall = across / scratch.width;
                value += scratch.depth
                    * (0.5 * wall * facing - 0.2)
                    * (1.0 - wall * wall).max(0.0)
                    * (4.0 * along * (1.0 - along)).min(1.0);
            }
        }
        for (channel, tint) in tone.iter_mut().zip([0.98, 1.0, 1.03]) {
            *channel += value.max(0.02) * tint * share;
        }
    }

    /// Smooth noise in 0..1 on a grid of unit cells.
    fn value_noise(&self, x: f32, y: f32, layer: u32) -> f32 {
        let corner = |dx: i32, dy: i32| {
            let (x, y) = ((x.floor() as i32 + dx) as u32, (y.floor() as i32 + dy) as u32);
            let mut hash =
                self.seed ^ layer.wrapping_mul(0x9E37_79B9) ^ x.wrapping_mul(0x85EB_CA6B) ^ y.wrapping_mul(0xC2B2_AE35);
            hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
            hash = (hash ^ (hash >> 12)).wrapping_mul(0x297A_2D39);
            ((hash ^ (hash >> 15)) >> 8) as f32 / (1 << 24) as f32
        };
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (smooth(x - x.floor()), smooth(y - y.floor()));
        let row = |dy: i32| corner(0, dy) + (corner(1, dy) - corner(0, dy)) * u;
        row(0) + (row(1) - row(0)) * v
    }
}
