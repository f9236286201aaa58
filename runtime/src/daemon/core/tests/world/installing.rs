//! Heads of other devices in the simulated world.

use super::{Done, Store, World};

impl Store {
    /// Another device's head: nothing speaks against it, or what its bytes say.
    pub(super) fn install(&mut self, signed: &[u8]) -> Done {
        let reason = std::str::from_utf8(signed).unwrap();
        let generation = reason.is_empty().then_some(self.next_generation);
        if generation.is_some() {
            self.generation = generation;
            self.next_generation += 1;
        }
        let record = serde_json::json!({
            "task": "gate", "verdict": if generation.is_some() { "activated" } else { "rejected" }, "trusted": true,
            "unproved": true, "reasons": [reason], "because": [], "next": [], "generation": generation, "issue": null,
            "comparison": null,
        });
        Done::Installed(Box::new(serde_json::from_value(record).unwrap()))
    }
}

impl World {
    /// The words for why, of what was told.
    pub(in super::super) fn reasons(&self) -> Vec<String> {
        self.notices.iter().filter_map(|notice| notice.reason.clone()).collect()
    }
}
