//! The mean feature of what is sensed since it changed: a scene counts once, however long it is looked at. Knows nothing of heads.

/// Scenes of which a mean says more of the light than of what happened to be seen in it.
const ENOUGH: usize = 12;

/// Sums of features.
#[derive(Clone, Debug, Default)]
pub(super) struct Elsewhere {
    /// Of the means of the scenes that ended, `[dim]`; empty before the first.
    sum: Vec<f64>,
    ended: usize,
    /// The scene that goes on, the sum of its features and how many.
    open: Option<(usize, Vec<f64>, usize)>,
}

impl Elsewhere {
    /// Takes a feature `[dim]` of a scene; consecutive ones of one number are one scene.
    pub(super) fn observe(&mut self, feature: &[f32], scene: usize) {
        if self.open.as_ref().is_none_or(|(number, sum, _)| *number != scene || sum.len() != feature.len()) {
            self.close();
            self.open = Some((scene, vec![0.0; feature.len()], 0));
        }
        if let Some((_, sum, count)) = &mut self.open {
            sum.iter_mut().zip(feature).for_each(|(sum, &x)| *sum += f64::from(x));
            *count += 1;
        }
    }

    /// The mean `[dim]` over the scenes that ended, if these are enough.
    pub(super) fn mean(&self) -> Option<Vec<f32>> {
        (self.ended >= ENOUGH).then(|| self.sum.iter().map(|sum| (sum / self.ended as f64) as f32).collect())
    }

    fn close(&mut self) {
        let Some((_, sum, count)) = self.open.take() else { return };
        if self.sum.len() != sum.len() {
            // Another backbone: what was summed up means nothing beside it.
            (self.sum, self.ended) = (vec![0.0; sum.len()], 0);
        }
        self.sum.iter_mut().zip(sum).for_each(|(all, sum)| *all += sum / count as f64);
        self.ended += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_counts_once_and_a_dozen_are_enough() {
        let mut elsewhere = Elsewhere::default();
        for scene in 0..ENOUGH {
            assert_eq!(elsewhere.mean(), None);
            // The first is looked at for long.
            for _ in 0..if scene == 0 { 100 } else { 1 } {
                elsewhere.observe(&[scene as f32, 1.0], scene);
            }
        }
        assert_eq!(elsewhere.mean(), None, "the last one goes on");
        elsewhere.observe(&[0.0, 0.0], ENOUGH);
        assert_eq!(elsewhere.mean(), Some(vec![5.5, 1.0]));
        elsewhere.observe(&[0.0], 0);
        elsewhere.observe(&[0.0], 1);
        assert_eq!(elsewhere.mean(), None, "features of another dim begin anew");
    }
}
