//! `demo`: the whole loop with nothing installed. Parts are drawn on a belt, some of them damaged; the light changes; the
//! head learns, proves itself, refuses bad labels and goes back. Everything runs through the same code as a real task:
//! PNG files in memory, the built-in backbone, a store in a temporary folder, real verdicts.

use std::fmt::Write as _;

use acclimate::adaptation::{self, Adapted, Options};
use acclimate::demo::belt::{Belt, Class, Light};
use acclimate::embedding;
use acclimate::group::{GroupBy, GroupInput, groups};
use acclimate::record::{AdaptationRecord, DemoRecord, EvaluationRecord};
use acclimate::store::{Access, Model, NewSample, NewTask, Tasks};
use acclimate_backbone::{Backbone, builtin};
use acclimate_trainer::Evaluation;
use anyhow::{Context as _, ensure};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
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
        classes().join(" or "),
        demo.backbone.extractor(),
        demo.backbone.dim()
    ))?;

    demo.say(&format!("1. By day, someone labels {DAY} parts of each class."))?;
    demo.teach(Light::DAY, DAY)?;
    let first = demo.adapt()?;
    demo.say(&indent(&verdict(&first)))?;
    let day = demo.measure(Light::DAY)?;
    demo.say(&format!("   On {} other parts by day:       {}\n", day.samples, figure(&day)))?;

    let before = demo.measure(Light::EVENING)?;
    demo.say(&format!(
        "2. Evening: lamps, long shadows. The same head on {} parts in that light: {}\n",
        before.samples,
        figure(&before)
    ))?;

    demo.say(&format!("3. Someone labels {EVENING} evening parts of each class, and the device adapts."))?;
    demo.teach(Light::EVENING, EVENING)?;
    let second = demo.adapt()?;
    demo.say(&indent(&verdict(&second)))?;
    let after = demo.measure(Light::EVENING)?;
    let day_after = demo.measure(Light::DAY)?;
    demo.say(&format!("   On the same unseen evening parts: {}  →  {}", figure(&before), figure(&after)))?;
    demo.say(&format!("   And by day, nothing is lost:      {}  →  {}\n", figure(&day), figure(&day_after)))?;

    demo.say(&format!("4. At shift's end someone in a hurry calls {HURRIED} damaged parts `{}`.", Class::Ok.name()))?;
    demo.hurry(Light::EVENING)?;
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
            day: EvaluationRecord::new(&day, &classes()),
            evening_before: EvaluationRecord::new(&before, &classes()),
            evening_after: EvaluationRecord::new(&after, &classes()),
            day_after: EvaluationRecord::new(&day_after, &classes()),
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
            classes: classes(),
        };
        tasks.create_task(&new, Timestamp::now())?;
        Ok(Self { context, backbone, belt: Belt::new(seed), seed, tasks, taught: 0 })
    }

    /// Prints for people; a reader of JSON gets the record at the end.
    fn say(&self, words: &str) -> anyhow::Result<()> {
        if self.context.global.json { Ok(()) } else { line(words) }
    }

    /// Draws parts of every class and stores them, rightly labelled.
    fn teach(&mut self, light: Light, each: usize) -> anyhow::Result<()> {
        (0..each).flat_map(|_| Class::ALL).try_for_each(|class| self.label(class, light, class))
    }

    /// Draws damaged parts and calls them all right.
    fn hurry(&mut self, light: Light) -> anyhow::Result<()> {
        let damaged = [Class::Chipped, Class::Scratch].into_iter().cycle();
        damaged.take(HURRIED).try_for_each(|class| self.label(class, light, Class::Ok))
    }

    fn label(&mut self, class: Class, light: Light, called: Class) -> anyhow::Result<()> {
        let picture = self.belt.part(class, light);
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(
            picture.rgb(),
            picture.width(),
            picture.height(),
            ExtendedColorType::Rgb8,
        )?;
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
            label: Some(called.name()),
            who: "demo",
        };
        self.tasks.add_sample(TASK, &new, Timestamp::now())?;
        Ok(())
    }

    fn adapt(&mut self) -> anyhow::Result<AdaptationRecord> {
        let options = Options { who: "demo".into(), ..self.context.adapt_options() };
        let Adapted { record, .. } = adaptation::adapt(&mut self.tasks, TASK, &options)?;
        Ok(record)
    }

    /// The head in service on parts that nothing was fitted on: the same ones every time for a light.
    fn measure(&mut self, light: Light) -> anyhow::Result<Evaluation> {
        let unseen = if light == Light::DAY { 1 } else { 2 };
        let mut belt = Belt::new(self.seed.wrapping_add(unseen << 32));
        let head = self.tasks.in_service(TASK)?.context("a bug: the demo has no head in service")?;
        let classes: Vec<Class> = (0..UNSEEN).flat_map(|_| Class::ALL).collect();
        let bar = self.context.progress(classes.len(), "measuring");
        let (mut labels, mut inputs) = (Vec::new(), Vec::new());
        let mut probabilities = Array2::zeros((classes.len(), head.file.classes.len()));
        for (turn, class) in classes.into_iter().enumerate() {
            let picture = belt.part(class, light);
            let phash = Some(picture.perceptual_hash());
            let features = self.backbone.features(&[picture])?;
            let answer = head.file.head.probabilities(features[0].as_slice());
            probabilities.row_mut(turn).assign(&ndarray::ArrayView1::from(&answer));
            let known = head.file.classes.iter().position(|name| name == class.name());
            labels.push(known.context("a bug: the head in service lacks a class")?);
            inputs.push(GroupInput { seq: turn as i64, phash, source: turn.to_string(), taken: None, group_key: None });
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

fn classes() -> Vec<String> {
    Class::ALL.iter().map(|class| class.name().to_owned()).collect()
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
