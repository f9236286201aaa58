//! `demo`: the whole loop with nothing installed. Parts are drawn on a belt, some of them damaged; the light changes; the
//! head learns, proves itself, refuses bad labels and goes back. Everything runs through the same code as a real task:
//! PNG files in memory, the built-in backbone, a store in a temporary folder, real verdicts.

use std::fmt::Write as _;

use acclimate::adaptation::{self, Adapted, Options};
use acclimate::demo::belt::{Belt, Class, Light};
use acclimate::embedding;
use acclimate::group::{GroupBy, GroupInput, groups};
use acclimate::record::{AdaptationRecord, DemoRecord, EvaluationRecord};
use acclimate::store::{Access, Generation, Model, NewBackbone, NewSample, NewTask, Tasks};
use acclimate_backbone::{Backbone, builtin};
use acclimate_trainer::{Evaluation, Feature};
use anyhow::{Context as _, ensure};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use jiff::Timestamp;
use ndarray::{Array2, ArrayView1};

use super::{Context, Outcome, adapt::verdict, args, line};

const TASK: &str = "belt";

/// What parts are told apart.
const CLASSES: [Class; 2] = [Class::Ok, Class::Scratch];

/// Labelled parts of each class, by day and in the evening, and parts of each class that nothing is fitted on.
const DAY: usize = 30;
const EVENING: usize = 20;
const UNSEEN: usize = 100;

/// Evening parts of each class that are called the other.
const CONFUSED: usize = 15;

/// Runs `acclimate demo`.
pub fn run(context: &Context, args: &args::Demo) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir().context("could not make a temporary folder for the demo")?;
    let mut demo = Demo::new(context, folder.path(), args.seed)?;
    demo.say(&format!(
        "A camera over a belt: is a part {}? The backbone is the built-in one, frozen, run by {}.\n\
         What is learnt here, on this machine, is the head behind its {} numbers.\n",
        classes().join(" or "),
        demo.backbone.extractor(),
        demo.backbone.dim()
    ))?;
    let (day_parts, evening_parts) = (Unseen::draw(&mut demo, Light::DAY)?, Unseen::draw(&mut demo, Light::EVENING)?);

    demo.say(&format!("1. By day, someone labels {DAY} parts of each class."))?;
    demo.teach(Light::DAY, DAY)?;
    let first = demo.adapt()?;
    demo.say(&indent(&verdict(&first)))?;
    let day = demo.measure(&day_parts)?;
    demo.say(&format!("   on {} other parts by day:         {}\n", day.samples, figure(&day)))?;

    let before = demo.measure(&evening_parts)?;
    demo.say("2. The light changes: lower, warmer, weaker. The same head in the evening:")?;
    demo.say(&format!("   on {} other parts in the evening: {}\n", before.samples, figure(&before)))?;

    demo.say(&format!("3. Someone labels {EVENING} evening parts of each class, and the device adapts."))?;
    demo.teach(Light::EVENING, EVENING)?;
    let second = demo.adapt()?;
    demo.say(&indent(&verdict(&second)))?;
    let after = demo.measure(&evening_parts)?;
    let day_after = demo.measure(&day_parts)?;
    demo.say(&format!("   evening, the same unseen parts: {}  →  {}", figure(&before), figure(&after)))?;
    demo.say(&format!("   by day, the same unseen parts:  {}  →  {}\n", figure(&day), figure(&day_after)))?;

    demo.say(&format!("4. At the end of the shift someone mixes the two up, on {CONFUSED} parts of each."))?;
    demo.confuse(Light::EVENING)?;
    let in_service = demo.in_service()?;
    let third = demo.adapt()?;
    demo.say(&indent(&verdict(&third)))?;
    demo.say(&format!("   generation {} is in service\n", demo.in_service()?))?;

    demo.say("5. Every earlier head is one command away, bit for bit.")?;
    let fingerprint = demo.fingerprint()?;
    let rolled_back = demo.tasks.rollback(TASK, "demo", Timestamp::now())?.0;
    demo.say(&format!("   rolled back to generation {rolled_back}"))?;
    demo.tasks.activate(TASK, Generation(in_service), "demo", false, Timestamp::now())?;
    if third.verdict == "rejected" {
        ensure!(fingerprint == demo.fingerprint()?, "a bug: a head that came back is not the head that went");
    }
    demo.say(&format!("   and forward to generation {}: the same bytes, the same answers\n", demo.in_service()?))?;
    demo.say("With your own pictures: acclimate init TASK; acclimate add TASK FOLDER --labels-from-folders; acclimate adapt TASK")?;

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

/// Parts that nothing is fitted on, in one light.
struct Unseen {
    features: Vec<Feature>,
    classes: Vec<Class>,
    groups: Vec<usize>,
}

impl Unseen {
    fn draw(demo: &mut Demo<'_>, light: Light) -> anyhow::Result<Self> {
        // A stream of its own for each light.
        let stream = if light == Light::DAY { 1 } else { 2 };
        let mut belt = Belt::new(demo.seed.wrapping_add(stream << 32));
        let classes: Vec<Class> = (0..UNSEEN).flat_map(|_| CLASSES).collect();
        let bar = demo.context.progress(classes.len(), "drawing parts to measure on");
        let (mut features, mut inputs) = (Vec::new(), Vec::new());
        for (turn, &class) in classes.iter().enumerate() {
            let picture = belt.part(class, light);
            let thumbnail = picture.thumbnail();
            inputs.push(GroupInput {
                seq: turn as i64,
                phash: Some(thumbnail.perceptual_hash()),
                thumbnail: Some(thumbnail),
                source: turn.to_string(),
                taken: None,
                group_key: None,
            });
            features.append(&mut demo.backbone.features(&[picture])?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Self { features, classes, groups: groups(&inputs, GroupBy::Auto) })
    }
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
            backbone: NewBackbone {
                name: builtin::NAME.into(),
                id: backbone.id().0,
                manifest: builtin::MANIFEST.into(),
                model: Model::Builtin,
                dim: backbone.dim(),
                quantisation: backbone.quantisation(),
            },
            group_by: GroupBy::Auto,
            classes: classes(),
            classes_only: false,
            shipped: None,
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
        (0..each).flat_map(|_| CLASSES).try_for_each(|class| self.label(class, light, class))
    }

    /// Draws parts of every class and calls each the other.
    fn confuse(&mut self, light: Light) -> anyhow::Result<()> {
        let [one, other] = CLASSES;
        let mixed_up = (0..CONFUSED).flat_map(|_| [(one, other), (other, one)]);
        mixed_up.into_iter().try_for_each(|(is, called)| self.label(is, light, called))
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
            payload: &embedded.payload.bytes,
            media: embedded.payload.media,
            source: &format!("belt/{}", self.taught),
            taken: None,
            group_key: None,
            phash: Some(embedded.phash),
            thumbnail: embedded.thumbnail.as_ref(),
            codes: &encoded.codes,
            saturated: encoded.saturated,
            norm: embedded.feature.norm(),
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

    /// The head in service on parts that nothing is fitted on.
    fn measure(&self, unseen: &Unseen) -> anyhow::Result<Evaluation> {
        let head = self.tasks.in_service(TASK)?.context("a bug: the demo has no head in service")?;
        let mut probabilities = Array2::zeros((unseen.features.len(), head.file.classes.len()));
        for (feature, mut row) in unseen.features.iter().zip(probabilities.rows_mut()) {
            row.assign(&ArrayView1::from(&head.file.head.probabilities(feature)));
        }
        let place = |class: &Class| head.file.classes.iter().position(|name| name == class.name());
        let labels: Option<Vec<usize>> = unseen.classes.iter().map(place).collect();
        let labels = labels.context("a bug: the head in service lacks a class")?;
        Ok(Evaluation::new(probabilities.view(), &labels, &unseen.groups, false)?)
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
    CLASSES.iter().map(|class| class.name().to_owned()).collect()
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
