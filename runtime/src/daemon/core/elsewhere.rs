//! What is sensed since it changed: a scene counts once, however long it is looked at. Knows no features of before.

use crate::adaptation::Elsewhere;

/// Scenes of which a mean says more of the light than of what happened to be seen in it.
const ENOUGH: usize = 12;

/// Sums over scenes.
#[derive(Clone, Debug, Default)]
pub(super) struct Since {
    /// Of the means of the scenes that ended; empty before the first.
    sums: Sums,
    ended: usize,
    /// The scene that goes on, its sums and how many features they are of.
    open: Option<(usize, Sums, usize)>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    /// `[dim]`.
    feature: Vec<f64>,
    /// Parts taken for each class.
    classes: Vec<f64>,
}

impl Sums {
    fn add(&mut self, feature: impl Iterator<Item = f64>, class: impl Iterator<Item = (usize, f64)>) {
        self.feature.iter_mut().zip(feature).for_each(|(sum, x)| *sum += x);
        for (class, part) in class {
            self.classes.resize(self.classes.len().max(class + 1), 0.0);
            self.classes[class] += part;
        }
    }
}

impl Since {
    /// Takes a feature `[dim]` of a scene, with the class that the head takes it for; consecutive ones of one number are one scene.
    pub(super) fn observe(&mut self, feature: &[f32], class: usize, scene: usize) {
        let dim = feature.len();
        if self.open.as_ref().is_none_or(|(number, sums, _)| *number != scene || sums.feature.len() != dim) {
            self.close();
            self.open = Some((scene, Sums { feature: vec![0.0; dim], classes: Vec::new() }, 0));
        }
        if let Some((_, sums, count)) = &mut self.open {
            sums.add(feature.iter().map(|&x| f64::from(x)), std::iter::once((class, 1.0)));
            *count += 1;
        }
    }

    /// Over the scenes that ended, if these are enough.
    pub(super) fn mean(&self) -> Option<Elsewhere> {
        let part = |sums: &[f64]| sums.iter().map(|sum| (sum / self.ended as f64) as f32).collect();
        let Sums { feature, classes } = &self.sums;
        (self.ended >= ENOUGH).then(|| Elsewhere { feature: part(feature), taken_for: part(classes) })
    }

    fn close(&mut self) {
        let Some((_, sums, count)) = self.open.take() else { return };
        if self.sums.feature.len() != sums.feature.len() {
            // Another backbone: what was summed up means nothing beside it.
            (self.sums, self.ended) = (Sums { feature: vec![0.0; sums.feature.len()], classes: Vec::new() }, 0);
        }
        let part = |sum: f64| sum / count as f64;
        self.sums.add(sums.feature.into_iter().map(part), sums.classes.into_iter().map(part).enumerate());
        self.ended += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_counts_once_and_a_dozen_are_enough() {
        let mut since = Since::default();
        for scene in 0..ENOUGH {
            assert_eq!(since.mean(), None);
            // The first is looked at for long.
            for _ in 0..if scene == 0 { 100 } else { 1 } {
                since.observe(&[scene as f32, 1.0], usize::from(scene < 3), scene);
            }
        }
        assert_eq!(since.mean(), None, "the last one goes on");
        since.observe(&[0.0, 0.0], 0, ENOUGH);
        assert_eq!(since.mean(), Some(Elsewhere { feature: vec![5.5, 1.0], taken_for: vec![0.75, 0.25] }));
        since.observe(&[0.0], 0, 0);
        since.observe(&[0.0], 0, 1);
        assert_eq!(since.mean(), None, "features of another dim begin anew");
    }
}
