//! What a machine measured of itself, as JSON and in words.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What `bench` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BenchRecord {
    /// The backbone that was run.
    pub backbone: String,
    /// What ran it.
    pub extractor: String,
    /// Threads of engine and fit.
    pub threads: usize,
    /// Components of a feature.
    pub dim: usize,
    /// Size of the model's file.
    pub model_bytes: u64,
    /// Milliseconds to read, check and open the model, with the engine's library loaded before.
    pub load_ms: f64,
    /// Milliseconds of one run of the engine on a prepared input.
    pub engine_ms: SpreadRecord,
    /// Milliseconds from a JPEG of 512×384 in memory to its feature; none for backbones that take no pictures.
    pub sample_ms: Option<SpreadRecord>,
    /// Decoded pictures a second, prepared on all threads.
    pub samples_per_second: Option<f64>,
    /// Fits on made-up features of the backbone's dimension.
    pub fits: Vec<FitTimeRecord>,
    /// The first of `fits` over one run of the engine.
    pub fit_per_engine_run: f64,
    /// One sample over one run of the engine: what decoding and resizing cost.
    pub sample_per_engine_run: Option<f64>,
    /// Largest resident memory of the program, bytes; none where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
}

/// What `bench daemon` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BenchDaemonRecord {
    /// Labelled samples that were fitted.
    pub samples: usize,
    /// Milliseconds from a frame that is handed in to the answer that everybody is told, while nothing is fitted.
    pub idle_ms: SpreadRecord,
    /// And while adaptations run back to back.
    pub adapting_ms: SpreadRecord,
    /// Its 99th percentile over the other.
    pub ratio: f64,
    /// Adaptations that ran meanwhile.
    pub adaptations: usize,
    /// Resident memory in the end, bytes; none where the system does not tell.
    pub resident_bytes: Option<u64>,
    /// Milliseconds from a frame that is handed in to the answer that a webhook on this machine has received.
    pub sink_ms: SpreadRecord,
    /// Seconds that the daemon was watched while no frame came: what the next two are measured over.
    pub idle_seconds: f64,
    /// Share of one core while no frame comes.
    pub idle_cpu: Option<f64>,
    /// Bytes that reach the disk in a day without frames, extrapolated.
    pub idle_bytes_per_day: Option<f64>,
    /// Bytes that one acknowledged label has written to the disk.
    pub bytes_per_label: Option<f64>,
}

impl BenchDaemonRecord {
    /// The same for people.
    pub fn words(&self) -> String {
        let Self { samples, idle_ms, adapting_ms, ratio, adaptations, sink_ms, idle_seconds, .. } = self;
        let mut words = format!(
            "from a frame to its answer, ms:   p50 {:.1}, p99 {:.1} while nothing is fitted\n\
             {:33}p50 {:.1}, p99 {:.1} while {adaptations} adaptations to {samples} samples ran: {ratio:.2} times",
            idle_ms.p50, idle_ms.p99, "", adapting_ms.p50, adapting_ms.p99
        );
        let _ = write!(words, "\nand to a webhook that has it, ms:  p50 {:.1}, p99 {:.1}", sink_ms.p50, sink_ms.p99);
        if let Some(bytes) = self.resident_bytes {
            let _ = write!(words, "\nresident: {:.0} MB", bytes as f64 / 1e6);
        }
        if let Some(share) = self.idle_cpu {
            let _ = write!(words, "\nidle: {:.2} % of one core, over {idle_seconds:.0} s", 100.0 * share);
        }
        if let Some(bytes) = self.idle_bytes_per_day {
            let megabytes = bytes / 1e6;
            let _ = write!(words, "\nwritten on an idle day: {megabytes:.2} MB, extrapolated from {idle_seconds:.0} s");
        }
        if let Some(bytes) = self.bytes_per_label {
            let _ = write!(words, "\nwritten for one label: {:.1} KiB", bytes / 1024.0);
        }
        words
    }
}

/// How long runs take.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SpreadRecord {
    /// Runs measured.
    pub runs: usize,
    /// The middle one.
    pub p50: f64,
    /// 99 of 100 take no longer.
    pub p99: f64,
}

/// How long a fit takes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FitTimeRecord {
    /// Kind of head, or `all` with the selection among them.
    pub head: String,
    /// Samples.
    pub samples: usize,
    /// Classes.
    pub classes: usize,
    /// Milliseconds, leave-out scores included.
    pub milliseconds: f64,
}

impl BenchRecord {
    /// The same for people.
    pub fn words(&self) -> String {
        let mut words = format!(
            "{} on {}, {} threads\nload        {:9.1} ms ({:.1} MB)\nengine      {:9.2} ms a run, 99 % under {:.2} ms",
            self.backbone,
            self.extractor,
            self.threads,
            self.load_ms,
            self.model_bytes as f64 / 1e6,
            self.engine_ms.p50,
            self.engine_ms.p99
        );
        if let (Some(sample), Some(rate)) = (&self.sample_ms, self.samples_per_second) {
            let _ = write!(
                words,
                "\npicture     {:9.2} ms from JPEG 512×384 to feature, 99 % under {:.2} ms; {rate:.0} decoded ones a second",
                sample.p50, sample.p99
            );
        }
        for fit in &self.fits {
            let head = format!("fit {}", fit.head);
            let _ = write!(
                words,
                "\n{head:11} {:9.1} ms for {} samples of {} numbers, {} classes, leave-out scores included",
                fit.milliseconds, fit.samples, self.dim, fit.classes
            );
        }
        let _ = write!(
            words,
            "\na ridge fit of 200 samples costs as much as {:.1} runs of the engine",
            self.fit_per_engine_run
        );
        if let Some(bytes) = self.peak_memory_bytes {
            let _ = write!(words, "\nmemory      {:9.0} MB at most", bytes as f64 / 1e6);
        }
        words
    }
}

/// What `bench fit` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BenchFitRecord {
    /// What was measured beside us; none where nothing was.
    pub peer: Option<String>,
    /// Why nothing was, where it was asked for.
    pub without_peer: Option<String>,
    /// Fits measured.
    pub fits: Vec<FitCaseRecord>,
    /// Memory of the largest case of each head, each in a process of its own.
    pub memory: Vec<FitMemoryRecord>,
    /// Largest resident memory of this process, bytes; none where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
}

/// One fit beside another library's.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FitCaseRecord {
    /// Kind of head, or `auto` for the selection among the closed forms.
    pub head: String,
    /// Samples.
    pub samples: usize,
    /// Components of a feature.
    pub dim: usize,
    /// Classes.
    pub classes: usize,
    /// Threads of both sides.
    pub threads: usize,
    /// Milliseconds of the fastest fit, leave-out scores and penalties' choice included.
    pub milliseconds: f64,
    /// What the other side fitted.
    pub peer_model: String,
    /// Its milliseconds.
    pub peer_milliseconds: Option<f64>,
    /// Its time over ours.
    pub ratio: Option<f64>,
}

/// What a fit needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FitMemoryRecord {
    /// Kind of head.
    pub head: String,
    /// Samples.
    pub samples: usize,
    /// Components of a feature.
    pub dim: usize,
    /// Classes.
    pub classes: usize,
    /// Largest resident memory of a process that fits it and does nothing else, features included, bytes.
    pub peak_memory_bytes: u64,
}

impl BenchFitRecord {
    /// The same for people.
    pub fn words(&self) -> String {
        let mut words = match (&self.peer, &self.without_peer) {
            (Some(peer), _) => format!("beside {peer}, in turns, the fastest of each"),
            (None, Some(why)) => format!("ours alone: {why}"),
            (None, None) => "ours alone".to_owned(),
        };
        words += "\nhead          samples   dim  classes  threads        ours  scikit-learn  ratio";
        for fit in &self.fits {
            let FitCaseRecord { head, samples, dim, classes, threads, milliseconds, .. } = fit;
            let _ = write!(words, "\n{head:12} {samples:8} {dim:5} {classes:8} {threads:8} {milliseconds:8.1} ms");
            if let (Some(theirs), Some(ratio)) = (fit.peer_milliseconds, fit.ratio) {
                let _ = write!(words, " {theirs:10.1} ms {ratio:6.1}  {}", fit.peer_model);
            }
        }
        for FitMemoryRecord { head, samples, dim, classes, peak_memory_bytes } in &self.memory {
            let megabytes = *peak_memory_bytes as f64 / 1e6;
            let _ = write!(
                words,
                "\n{head}: {megabytes:.0} MB at most in a process that fits {samples} samples of {dim} numbers, {classes} classes"
            );
        }
        words
    }
}
