//! What moved since the head in service was learnt, as the trainer wants it. The reasons stand in `trainer/src/domain/nuisance.rs`.

use acclimate_trainer::domain::{self, Nuisance};
use acclimate_trainer::most_probable;
use ndarray::{Array1, Axis};

use super::{Problem, Proposal, Service};
use crate::adaptation::Elsewhere;

impl Problem<'_> {
    /// What a head is not to use: the direction from what the head in service was learnt on to what is sensed `elsewhere`, and
    /// those that this head does without.
    pub(in crate::adaptation) fn nuisance(
        &self,
        service: Option<&Service>,
        elsewhere: Option<&Elsewhere>,
    ) -> Option<Nuisance> {
        let service = service.filter(|_| self.seen.len() > 1)?;
        let head = service.head.as_ref().filter(|head| head.file.backbone_id == self.snapshot.backbone_id)?;
        let there = elsewhere.filter(|there| there.feature.len() == self.features.ncols());
        let moved = there.and_then(|there| {
            let home = self.unmoved(service, &there.taken_for)?;
            let there = there.feature.iter().map(|&x| f64::from(x)).collect::<Array1<f64>>();
            Some((there - home).mapv(|x| x as f32))
        });
        let before = head.file.provenance.nuisance.as_ref();
        match moved {
            Some(moved) => {
                let before = before.map(|nuisance| nuisance.directions().to_owned());
                Nuisance::new([moved.view()].into_iter().chain(before.iter().flat_map(|before| before.rows())))
            }
            None => before.cloned(),
        }
    }

    /// The mean feature that what is sensed elsewhere would have, had nothing moved; the head in service took it for its classes in
    /// these parts.
    fn unmoved(&self, service: &Service, taken_for: &[f32]) -> Option<Array1<f64>> {
        let fair = service.as_input().fair(&self.groups);
        let since: Vec<usize> = (0..self.labels.len()).filter(|&row| service.new[row] && fair[row]).collect();
        let said = |row: usize| service.classes.get(most_probable(service.probabilities.row(row))).copied();
        let right = since.iter().filter(|&&row| said(row) == Some(self.labels[row])).count();
        let mut parts = vec![0.0; self.names.len()];
        for (&class, &part) in service.classes.iter().zip(taken_for) {
            if let Some(of) = parts.get_mut(class) {
                *of += f64::from(part);
            }
        }
        let learnt: Vec<usize> = (0..self.labels.len()).filter(|&row| !service.new[row]).collect();
        let labels: Vec<usize> = learnt.iter().map(|&row| self.labels[row]).collect();
        let trust = domain::trust(right, since.len(), self.seen.len());
        domain::unmoved(self.features.select(Axis(0), &learnt).view(), &labels, &parts, trust)
    }

    /// Whether doing without directions costs more than it may where the head in service was fitted.
    pub(in crate::adaptation) fn costs(&self, plain: &Proposal, without: &Proposal, service: Option<&Service>) -> bool {
        let learnt: Vec<bool> =
            (0..self.labels.len()).map(|row| service.is_none_or(|service| !service.new[row])).collect();
        domain::costs(plain.selected(), without.selected(), &learnt)
    }
}
