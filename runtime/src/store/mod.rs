//! The store: one SQLite file that holds every task with its samples, labels and heads. [`Tasks`] is its only door.
//!
//! Knows nothing about pictures, engines or fitting; what it keeps comes in ready and goes out checked. Invariants:
//!
//! - what a call has acknowledged survives a power cut at any instant; what it has not leaves no trace;
//! - one process writes at a time and a second one is told who; readers need no lock;
//! - order rests on sequence numbers, never on the clock;
//! - the same bytes in the same task are the same sample;
//! - a head is in service or it is not: the pointer and what it points to change in one transaction;
//! - nothing fitted on a forgotten sample remains, and the sample's bytes are in no file of the data directory.
//!
//! Read `record` for the nouns, `tasks` and `samples` for daily work, then `heads`, `service`, `forget` and `schema`.

mod backbones;
mod error;
mod foreign;
mod forget;
mod heads;
mod id;
mod lock;
mod marks;
mod pool;
mod record;
mod samples;
mod schema;
mod service;
mod snapshot;
mod sources;
mod tasks;
mod watching;

pub use error::StoreError;
pub use forget::Refitted;
pub use id::{Digest, Generation, SampleId, Watermark};
pub use marks::Marks;
pub use pool::Pool;
pub use record::{
    Access, Adaptation, Added, AddedSource, Change, Evicted, Filter, Forget, ForgetPlan, Holder, Installed, Label,
    LeaveOut, Model, NewAdaptation, NewBackbone, NewFeature, NewHead, NewInstall, NewSample, NewTask, Origin, Receipt,
    Region, Sample, Scrub, Seen, Service, StoredFeature, StoredHead, TakeBack, Task, is_class_name,
};
pub use samples::Batch;
pub use snapshot::Snapshot;
pub use tasks::{MAX_CLASSES, Tasks};

#[cfg(test)]
pub(crate) mod tests;
