//! A rotating machine, as an accelerometer on its bearing feels it: what stands in for a sensor where there is none.
//! It knows nothing of lines and messages.
//!
//! In x and y (across the shaft) and z (along it) two masses on springs with dampers move, `a = F/m − 2ζω₀·v − ω₀²·x`: the
//! whole machine on its soft mounts, pushed by what turns, and the housing of the bearing, which rings. What pushes them:
//!
//! | state | the whole | the housing |
//! |---|---|---|
//! | off | nothing | nothing |
//! | normal | the little unbalance that is left, turning with the shaft | hum of the drive |
//! | imbalance | an unbalance that grows with the square of the speed | hum |
//! | bearing | as in normal | hum, and a blow each time a ball passes the flaw of the outer ring, 3.58 times a turn, harder where the load is |
//!
//! Speed, load and how bad it is are drawn anew whenever the machine is switched, as two visits to a machine find it different.

/// What may be wrong with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Off,
    Normal,
    Imbalance,
    Bearing,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Off, Self::Normal, Self::Imbalance, Self::Bearing];

    /// The class that somebody who stands beside it would say.
    pub fn class(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Normal => "normal",
            Self::Imbalance => "imbalance",
            Self::Bearing => "bearing",
        }
    }
}

const GRAVITY: f32 = 9.80665;
/// Integration steps a second: seven for each period of the stiffest spring, whose limit is three.
const STEPS_HZ: u32 = 1600;
const STEP: f32 = 1.0 / STEPS_HZ as f32;
/// Of the mounts and of the housing: own frequencies in x, y, z, and damping.
const MOUNTS: ([f32; 3], f32) = ([9.0, 11.0, 7.0], 0.15);
const HOUSING: ([f32; 3], f32) = ([210.0, 160.0, 120.0], 0.04);
/// Balls that pass the flaw in a turn.
const BALL_PASS: f32 = 3.58;
const TAU: f32 = core::f32::consts::TAU;

/// The machine and where it is in its turn.
pub struct Machine {
    state: State,
    random: u32,
    /// Turns a second, and how far the load and the fault are from what is usual.
    speed_hz: f32,
    load: f32,
    severity: f32,
    /// The shaft as a point on the circle; and the share of the way to the next ball, 0 to 1.
    shaft: (f32, f32),
    ball: f32,
    mounts: Mass,
    housing: Mass,
}

/// A mass that moves in three directions: m and m/s.
struct Mass {
    place: [f32; 3],
    velocity: [f32; 3],
}

impl Mass {
    const STILL: Self = Self { place: [0.0; 3], velocity: [0.0; 3] };

    /// Newton's law for one step (semi-implicit Euler), pushed by a force per mass; the acceleration.
    fn step(&mut self, (own_hz, damping): ([f32; 3], f32), force: [f32; 3]) -> [f32; 3] {
        let mut felt = force;
        for axis in 0..3 {
            let own = TAU * own_hz[axis];
            felt[axis] -= 2.0 * damping * own * self.velocity[axis] + own * own * self.place[axis];
            self.velocity[axis] += STEP * felt[axis];
            self.place[axis] += STEP * self.velocity[axis];
        }
        felt
    }
}

impl Machine {
    pub const fn new() -> Self {
        Self {
            state: State::Off,
            random: 0x9E37_79B9,
            speed_hz: 25.0,
            load: 1.0,
            severity: 1.0,
            shaft: (1.0, 0.0),
            ball: 0.0,
            mounts: Mass::STILL,
            housing: Mass::STILL,
        }
    }

    pub fn switch(&mut self, state: State) {
        self.state = state;
        self.speed_hz = 25.0 * (1.0 + 0.08 * self.uniform());
        self.load = 1.0 + 0.2 * self.uniform();
        self.severity = 1.0 + 0.25 * self.uniform();
    }

    /// What an accelerometer shows after `1 / rate_hz` more, in m/s²: gravity, how the bearing moves, its own noise.
    pub fn sense(&mut self, rate_hz: u32) -> [f32; 3] {
        let mut felt = [0.0; 3];
        for _ in 0..(STEPS_HZ / rate_hz).max(1) {
            felt = self.step();
        }
        let noise = [0; 3].map(|_| 0.03 * self.noise());
        [felt[0] + noise[0], felt[1] + noise[1], felt[2] + noise[2] + GRAVITY]
    }

    fn step(&mut self) -> [f32; 3] {
        let (turning, ringing) = self.forces();
        let whole = self.mounts.step(MOUNTS, turning);
        let housing = self.housing.step(HOUSING, ringing);
        [0, 1, 2].map(|axis| whole[axis] + housing[axis])
    }

    /// Force by mass on the whole and on the housing, in m/s².
    fn forces(&mut self) -> ([f32; 3], [f32; 3]) {
        if self.state == State::Off {
            return ([0.0; 3], [0.0; 3]);
        }
        // One step of the turn: a rotation by a small angle, brought back to the circle.
        let angle = TAU * self.speed_hz * STEP;
        let (x, y) = self.shaft;
        let (x, y) = (x - angle * y, y + angle * x);
        let shrink = 1.5 - 0.5 * (x * x + y * y);
        self.shaft = (x * shrink, y * shrink);
        let unbalance = if self.state == State::Imbalance { 3.0 * self.severity } else { 0.6 };
        let turning = unbalance * (self.speed_hz / 25.0) * (self.speed_hz / 25.0);
        let turning = [turning * self.shaft.0, turning * self.shaft.1, 0.1 * turning * self.shaft.0];
        let mut ringing = [0; 3].map(|_| 0.25 * self.load * self.noise());
        self.ball += BALL_PASS * self.speed_hz * STEP;
        if self.ball >= 1.0 {
            // Balls slip a little, so that no two turns are alike.
            self.ball -= 1.0 + 0.02 * self.noise();
            if self.state == State::Bearing {
                let blow = 9.0 * self.severity * self.load * (1.0 + 0.5 * self.shaft.1);
                for (force, share) in ringing.iter_mut().zip([0.5, 1.0, 0.3]) {
                    *force += share * blow;
                }
            }
        }
        (turning, ringing)
    }

    /// −1 to 1 (xorshift32).
    fn uniform(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random as i32 as f32 / 2_147_483_648.0
    }

    /// Nearly normal, of variance 1.
    fn noise(&mut self) -> f32 {
        self.uniform() + self.uniform() + self.uniform()
    }
}
