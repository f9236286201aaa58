//! `demo`: the whole loop with nothing installed. Parts are drawn on a belt, some of them damaged; the light changes; the
//! head learns, proves itself, refuses bad labels and goes back. Everything runs through the same code as a real task:
//! PNG files in memory, the built-in backbone, a store in a temporary folder, real verdicts.

use std::fmt::Write as _;

use acclimate::adaptation::{self, Adapted, Options};
use acclimate::demo::belt::{Belt, CLASSES, Light};
use acclimate::embedding;
use acclimate::group::{GroupBy, GroupInput, groups};
use acclimate::record::{AdaptationRecord, DemoRecord, EvaluationRecord};
use acclimate::store::{Access, Model, NewSample, NewTask, Tasks};
use acclimate_backbone::{Backbone, builtin};
use acclimate_trainer::{Evaluation, Feature};
use anyhow::{Context as _, ensure};
use indicatif::ProgressBar;
use jiff::Timestamp;
use ndarray::Array2;

use super::{Context, Outcome, adapt::verdict, args, line};

const TASK: &str = "belt";

/// Labelled parts of each class, by day and in the evening, and parts of each class that nothing is fitted on.
const DAY: usize = 15;
const EVENING: usize = 15;
const UNSEEN: usize = 100;

/// Evening parts labelled in a hurry: damaged ones called the first class.
const HURRIED: usize = 30;

/// Runs `acclimate demo`.
pub fn run(context: &Context, args: &args::Demo) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir().context("could not make a temporary folder for the demo")?;
    let mut demo = Demo::new(context, folder.path(), args.seed)?;
    demo.say(&format!(
        "A camera over a belt: is each part {}? The built-in backbone ({}, frozen) sees {} numbers in a picture;\n\
         what is learnt here, on this machine, is the head behind it.\n",
        CLASSES.join(" or "),
        demo.backbone.extractor(),
        demo.backbone.dim()
    ))?;

    demo.say(&format!("1. By day, someone labels {DAY} parts of each class."))?;
    demo.teach(Light::Day, DAY, None)?;
    let first = demo.adapt()?;
    demo.say(&indent(&verdict(&first)))?;
    let day = demo.measure(Light::Day)?;
    demo.say(&format!("   On {} other parts by day:       {}\n", day.samples, figure(&day)))?;

    let before = demo.measure(Light::Evening)?;
    demo.say(&format!(
        "2. Evening: lamps, long shadows. The same head on {} parts in that light: {}\n",
        before.samples,
        figure(&before)
    ))?;

    demo.say(&format!("3. Someone labels {EVENING} evening parts of each class, and the device adapts."))?;
    demo.teach(Light::Evening, EVENING, None)?;
    let second = demo.adapt()?;
    demo.say(&indent(&verdict(&second)))?;
    let after = demo.measure(Light::Evening)?;
    let day_after = demo.measure(Light::Day)?;
    demo.say(&format!("   On the same unseen evening parts: {}  →  {}", figure(&before), figure(&after)))?;
    demo.say(&format!("   And by day, nothing is lost:      {}  →  {}\n", figure(&day), figure(&day_after)))?;

    demo.say(&format!("4. At shift's end someone in a hurry calls {HURRIED} damaged parts `{}`.", CLASSES[0]))?;
    demo.teach(Light::Evening, HURRIED, Some(CLASSES[0]))?;
    let third = demo.adapt()?;
    demo.say(&indent(&verdict(&third)))?;
    demo.say("   The head in service stays as it was.\n")?;

    demo.say("5. Every earlier head is one command away, bit for bit.")?;
    let fingerprint = demo.fingerprint()?;
    demo.tasks.rollback(TASK, "demo", Timestamp::now())?;
    let rolled_back = demo.in_service()?;
    demo.say(&format!("   rolled back to generation {rolled_back}"))?;
    demo.tasks.activate(
        TASK,
        acclimate::store::Generation(second.generation.unwrap_or_default()),
        "demo",
        false,
        Timestamp::now(),
    )?;
    ensure!(fingerprint == demo.fingerprint()?, "a bug: a head that came back is not the head that went");
    demo.say(&format!("   and forward again to generation {}: the same bytes, the same answers", demo.in_service()?))?;
    demo.say("\nNext, with your own pictures: acclimate init TASK && acclimate add TASK FOLDER --labels-from-folders && acclimate adapt TASK")?;

    if context.global.json {
        let record = DemoRecord {
            seed: args.seed,
            extractor: demo.backbone.extractor().to_string(),
            day: EvaluationRecord::new(&day, &demo.classes()),
            evening_before: EvaluationRecord::new(&before, &demo.classes()),
            evening_after: EvaluationRecord::new(&after, &demo.classes()),
            day_after: EvaluationRecord::new(&day_after, &demo.classes()),
            verdicts: vec![first, second, third],
            rolled_back_to: rolled_back,
        };
        line(&serde_json::to_string(&record)?)?;
    }
    Ok(Outcome::Done)
}

struct Demo<'a> {
    context: &'a Context,
    backbone: Backbone,
    belt: Belt,
    seed: u64,
    tasks: Tasks,
    taught: u32,
}

impl<'a> Demo<'a> {
    fn new(context: &'a Context, folder: &std::path::Path, seed: u64) -> anyhow::Result<Self> {
        let backbone = Backbone::builtin(&context.engine_options())?;
        let mut tasks = Tasks::open(folder, &Access::Write { command: "acclimate demo".into() })?;
        let new = NewTask {
            name: TASK.into(),
            backbone: builtin::NAME.into(),
            backbone_id: backbone.id().0,
            manifest: builtin::MANIFEST.into(),
            model: Model::Builtin,
            dim: backbone.dim(),
            quantisation: backbone.quantisation(),
            group_by: GroupBy::Auto,
            classes: CLASSES.iter().map(ToString::to_string).collect(),
        };
        tasks.create_task(&new, Timestamp::now())?;
        Ok(Self { context, backbone, belt: Belt::new(seed), seed, tasks, taught: 0 })
    }

    /// Prints for people; a reader of JSON gets the record at the end.
    fn say(&self, words: &str) -> anyhow::Result<()> {
        if self.context.global.json { Ok(()) } else { line(words) }
    }

    fn classes(&self) -> Vec<String> {
        CLASSES.iter().map(ToString::to_string).collect()
    }

    /// Draws parts and stores them labelled; with `called`, damaged parts only, all called that.
    fn teach(&mut self, light: Light, each: usize, called: Option<&str>) -> anyhow::Result<()> {
        let damaged = |class: &&usize| called.is_none() || **class > 0;
        let classes: Vec<usize> = (0..CLASSES.len()).collect();
        let classes: Vec<usize> = classes.iter().filter(damaged).copied().collect();
        let number = if called.is_some() { each } else { each * classes.len() };
        let bar = self.context.progress(number, "labelling");
        for turn in 0..number {
            let class = classes[turn % classes.len()];
            let png = self.belt.part(class, light).to_png()?;
            let embedded = embedding::embed_bytes(&mut self.backbone, png)?;
            let encoded = self.backbone.quantisation().encode(&embedded.feature);
            self.taught += 1;
            let new = NewSample {
                payload: &embedded.payload,
                media: embedded.media,
                source: &format!("belt/{}", self.taught),
                taken: None,
                group_key: None,
                phash: Some(embedded.phash),
                codes: &encoded.codes,
                saturated: encoded.saturated,
                extractor: &self.backbone.extractor().to_string(),
                label: Some(called.unwrap_or(CLASSES[class])),
                who: "demo",
            };
            self.tasks.add_sample(TASK, &new, Timestamp::now())?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn adapt(&mut self) -> anyhow::Result<AdaptationRecord> {
        let options = Options { who: "demo".into(), ..self.context.adapt_options() };
        let Adapted { record, .. } = adaptation::adapt(&mut self.tasks, TASK, &options)?;
        Ok(record)
    }

    /// The head in service on parts that nothing was fitted on: the same ones every time for a light.
    fn measure(&mut self, light: Light) -> anyhow::Result<Evaluation> {
        let mut belt = Belt::new(self.seed ^ 0x5eed ^ (light as u64 + 1) << 32);
        let head = self.tasks.in_service(TASK)?.context("a bug: the demo has no head in service")?;
        let number = UNSEEN * CLASSES.len();
        let bar: ProgressBar = self.context.progress(number, "measuring");
        let (mut labels, mut inputs) = (Vec::new(), Vec::new());
        let mut probabilities = Array2::zeros((number, head.file.classes.len()));
        for turn in 0..number {
            let picture = belt.part(turn % CLASSES.len(), light);
            let phash = picture.perceptual_hash();
            let feature: Vec<Feature> = self.backbone.features(&[picture])?;
            let answer = head.file.head.probabilities(feature[0].as_slice());
            probabilities.row_mut(turn).assign(&ndarray::ArrayView1::from(&answer));
            let name = CLASSES[turn % CLASSES.len()];
            labels.push(head.file.classes.iter().position(|class| class == name).context("a bug: a class is missing")?);
            inputs.push(GroupInput {
                seq: turn as i64,
                phash: Some(phash),
                source: turn.to_string(),
                taken: None,
                group_key: None,
            });
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Evaluation::new(probabilities.view(), &labels, &groups(&inputs, GroupBy::Auto), false)?)
    }

    fn in_service(&self) -> anyhow::Result<u32> {
        Ok(self.tasks.task(TASK)?.in_service.context("a bug: the demo has no head in service")?.0)
    }

    /// The head in service as bytes.
    fn fingerprint(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.tasks.in_service(TASK)?.context("a bug: the demo has no head in service")?.file.encode()?)
    }
}

fn figure(evaluation: &Evaluation) -> String {
    let (low, high) = evaluation.accuracy_interval;
    format!("{:.1} % right ({:.1} to {:.1})", 100.0 * evaluation.accuracy, 100.0 * low, 100.0 * high)
}

fn indent(words: &str) -> String {
    words
        .lines()
        .fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "   {line}");
            all
        })
        .trim_end()
        .to_owned()
}
