//! What the command line prints as JSON: one type a document, held by its golden example in
//! `tests/golden/`.
//!
//! Domain types are not `Serialize`; they become records here, at the edge.

mod adaptation;
mod adjust;
mod backbone;
mod bench;
mod camera;
mod class_map;
mod config;
mod decision;
mod drift;
mod evaluation;
mod head;
mod inspection;
mod install;
mod key;
mod learning_curve;
mod mqtt;
mod sample;
mod serial;
mod task;

pub use adaptation::{AdaptationRecord, CandidateRecord, ComparisonRecord, DemoRecord, Seconds, TuneRecord};
pub use adjust::AdjustRecord;
pub use backbone::BackboneRecord;
pub use bench::{
    BenchDaemonRecord, BenchFitRecord, BenchRecord, FitCaseRecord, FitMemoryRecord, FitTimeRecord, SpreadRecord,
};
pub use camera::CameraListRecord;
pub use class_map::ClassMapRecord;
pub use config::{ConfigCheckRecord, ConfigShowRecord};
pub use decision::{DecidedRecord, DecisionRecord};
pub use drift::DriftRecord;
pub use evaluation::{ConfusionRecord, EvaluateRecord, EvaluationRecord};
pub use head::{
    AdjustedRecord, AuditCheckRecord, AuditRecord, CheckedRecord, ExportRecord, FailedRecord, FromRecord,
    HeadDetailRecord, HeadRecord, PredictionRecord, SetError,
};
pub use inspection::{ClassifierRecord, FeatureRecord, InspectionRecord, PortRecord};
pub use install::{InstallRecord, IssueRecord, SignedExportRecord};
pub use key::{DeviceKeyRecord, TrustedKeyRecord};
pub use learning_curve::{CurvePointRecord, EstimateRecord, LearningCurveRecord};
pub use mqtt::{MqttDeviceRecord, MqttMessageRecord, MqttSubscriptionRecord, MqttTestRecord};
pub use sample::{
    AddRecord, ClaimRecord, ForgetRecord, SampleDetailRecord, SampleExportRecord, SampleRecord, SuspectRecord,
    UsefulRecord,
};
pub use serial::{SerialListRecord, SerialRecordRecord, SerialReplayRecord, SerialWatchRecord};
pub use task::{AddedModelRecord, CheckRecord, ModelRecord, PullRecord, TaskRecord};
