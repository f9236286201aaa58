//! The thread of MQTT: does what the session wants. Decides nothing but what a message is about.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::about::{About, Listening};
use super::connection::Heard;
use super::discovery::Discovery;
use super::heads::{self, Heads};
use super::link::Socket;
use super::message::{Message, Received, Weight};
use super::operator::Operator;
use super::order::{Order, What};
use super::outbox::{Before, Owed};
use super::pictures::Pictures;
use super::queue::Queue;
use super::reply::interrupted;
use super::session::{Do, Owes, Session};
use super::told;
use super::waker::Waker;
use crate::causes;
use crate::clock;
use crate::config::Predictions;
use crate::daemon::beside::{Fares, Neighbour, Told};
use crate::daemon::command::CommandError;
use crate::daemon::handle::Posted;
use crate::daemon::notice::{Event, Notice, Prediction};
use crate::daemon::stage::Stage;
use crate::daemon::view::View;
use crate::source::Content;

/// How long it waits for anything before it looks up.
const PATIENCE: Duration = Duration::from_mins(1);
/// Commands that wait for their share of a spread.
const SPREAD: usize = 64;

/// What reaches the thread beside what the broker says.
pub(super) enum Input {
    Announced(Box<Notice>),
    /// A command under this key was answered so.
    Answered(Option<String>, Message),
    End,
    /// A head was signed or judged.
    Heads(heads::Done),
    /// A picture of a stable answer was made small.
    Pictured(Message),
    Predicted(Box<Prediction>),
}

/// The thread, from outside.
pub(super) struct Post {
    pub(super) inputs: SyncSender<Input>,
    pub(super) waker: Waker,
    /// The newest view, if it was not seen yet.
    pub(super) view: Mutex<Option<Arc<View>>>,
    pub(super) predictions: Predictions,
    /// What found no room.
    pub(super) full: AtomicU64,
    pub(super) fares: Mutex<Fares>,
    pub(super) stage: Stage,
}

impl Post {
    fn put(&self, input: Input) {
        if let Err(TrySendError::Full(_)) = self.inputs.try_send(input) {
            self.full.fetch_add(1, Ordering::Relaxed);
        }
        self.waker.wake();
    }
}

impl Neighbour for Post {
    fn told(&self, told: Told<'_>) {
        match told {
            // Where every answer is told, a changed one was told as one of them.
            Told::Announced(notice) if notice.event == Event::Changed && self.predictions == Predictions::All => {}
            Told::Announced(notice) => self.put(Input::Announced(Box::new(notice.clone()))),
            Told::Predicted(prediction) => self.put(Input::Predicted(Box::new(prediction.clone()))),
            Told::Shown(view) => {
                *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(view));
                self.waker.wake();
            }
        }
    }

    fn fares(&self) -> Fares {
        let mut fares = self.fares.lock().unwrap_or_else(PoisonError::into_inner).clone();
        fares.shed.push(("mqtt_notice", self.full.load(Ordering::Relaxed)));
        fares
    }

    fn stage(&self) -> Stage {
        self.stage.clone()
    }
}

impl Owes for Queue {
    fn after(&mut self, number: u64, most: usize) -> Vec<Owed> {
        Queue::after(self, number, most)
    }
}

/// The thread's state.
pub(super) struct Thread {
    pub(super) post: Arc<Post>,
    pub(super) inputs: Receiver<Input>,
    pub(super) link: Socket,
    pub(super) session: Session,
    pub(super) queue: Queue,
    pub(super) listening: Listening,
    pub(super) operator: Operator,
    pub(super) heads: Heads,
    /// Pictures of stable answers, where they are wanted.
    pub(super) pictures: Option<Pictures>,
    pub(super) posted: Posted,
    /// Bytes of an answer at most.
    pub(super) most: usize,
    pub(super) origin: Instant,
    pub(super) names: Names,
    /// What Home Assistant is told, where it is.
    pub(super) discovery: Option<Discovery>,
    pub(super) view: Arc<View>,
    pub(super) spread: Vec<(Duration, Order)>,
    /// Retained commands that were ignored.
    pub(super) ignored: u64,
    /// Pictures that their source had no room for.
    pub(super) shed: u64,
}

/// Names of messages: unlike those of any other start.
pub(super) struct Names {
    start: u64,
    count: u64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { start: super::random(), count: 0 }
    }

    fn next(&mut self) -> String {
        self.count += 1;
        format!("{:016x}-{}", self.start, self.count)
    }
}

impl Thread {
    /// Until it is told to end and has said goodbye.
    pub(super) fn run(mut self) {
        self.post.stage.works();
        self.answer_interrupted();
        while !self.session.has_ended() {
            self.post.stage.works();
            self.take_in();
            let now = self.origin.elapsed();
            self.queue.elapse(now);
            self.due(now);
            let doing = self.heads.due(now);
            self.see_to(doing, now);
            let doing = self.session.poll(&mut self.queue, now);
            let idle = doing.is_empty();
            for what in doing {
                self.carry_out(what);
            }
            self.show();
            let now = self.origin.elapsed();
            let due = self.spread.iter().map(|(at, _)| *at).min();
            let until = self
                .session
                .deadline(now)
                .into_iter()
                .chain(self.queue.deadline())
                .chain(self.heads.deadline())
                .chain(due)
                .min();
            let wait = until.map_or(PATIENCE, |until| until.saturating_sub(now)).min(PATIENCE);
            self.post.stage.rests();
            let heard = self.link.hear(if idle { wait } else { Duration::ZERO });
            self.post.stage.works();
            let now = self.origin.elapsed();
            match heard {
                Some(Ok(heard)) => {
                    if let (Heard::Subscribed(codes), true) = (&heard, self.session.is_up())
                        && let Some(why) = codes.iter().flatten().next()
                    {
                        self.heads.unheard(why);
                    }
                    self.session.heard(heard, now);
                }
                Some(Err(lost)) => {
                    tracing::warn!("MQTT: {lost}");
                    self.session.lost(&lost, now);
                }
                None => {}
            }
            self.queue.connected(self.session.is_up());
            self.heads.connected(self.session.packet(), &self.view);
        }
        // Whatever came meanwhile is told after the next start.
        self.take_in();
        self.queue.spill();
        self.show();
        self.post.stage.rests();
    }

    /// Commands that were begun and not answered when the last daemon ended are answered now.
    fn answer_interrupted(&mut self) {
        let unanswered = match self.queue.outbox().unanswered() {
            Ok(unanswered) => unanswered,
            Err(error) => return tracing::error!("{}", causes(&error)),
        };
        for (key, address) in unanswered {
            let message = interrupted(&self.listening.device, &key, address);
            self.answered(Some(&key), message);
        }
    }

    /// What happened in the daemon.
    fn take_in(&mut self) {
        while let Ok(input) = self.inputs.try_recv() {
            let now = self.origin.elapsed();
            match input {
                Input::Announced(notice) => {
                    let uid = self.names.next();
                    let message = told::notice(&self.listening.topics, uid, &self.listening.device, &notice);
                    let weight = if notice.event == Event::Changed { Weight::Prediction } else { Weight::Event };
                    self.owe(weight, message, now);
                }
                Input::Answered(key, message) => self.answered(key.as_deref(), message),
                Input::End => self.session.end(now),
                Input::Heads(done) => {
                    let doing = self.heads.done(done, now);
                    self.see_to(doing, now);
                }
                Input::Pictured(message) => self.session.value(message),
                Input::Predicted(prediction) => {
                    let message = told::prediction(&self.listening.topics, self.names.next(), &prediction);
                    self.owe(Weight::Prediction, message, now);
                }
            }
        }
        let view = self.post.view.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(view) = view {
            self.values(&view);
            self.view = view;
        }
    }

    /// The newest values; what is no longer there is taken back.
    fn values(&mut self, view: &View) {
        let mut values = told::states(&self.listening.topics, view);
        let states: Vec<&str> = values.iter().map(|value| value.topic.as_str()).collect();
        // With an answer goes its picture.
        let gone = |topic: &&str| {
            let of = topic.strip_suffix("/picture").map(|place| format!("{place}/state"));
            let state = of.as_deref().or_else(|| topic.ends_with("/state").then_some(topic));
            state.is_some_and(|state| !states.contains(&state))
        };
        let gone: Vec<String> = self.session.topics().filter(gone).map(str::to_owned).collect();
        values.extend(gone.into_iter().map(|topic| Message { topic, retain: true, ..Message::default() }));
        values.push(told::info(&self.listening.topics, view, clock::marked()));
        values.extend(self.discovery.as_mut().map(|discovery| discovery.message(&self.listening.topics, view)));
        for value in values {
            self.session.value(value);
        }
        if let Some(pictures) = &mut self.pictures {
            pictures.see(&self.listening.topics, view);
        }
    }

    fn owe(&mut self, weight: Weight, message: Message, now: Duration) {
        self.queue.put(weight, message, now);
        self.session.owes();
    }

    /// The answer is remembered first, so that who asks again gets it again.
    fn answered(&mut self, key: Option<&str>, message: Message) {
        if let Some(key) = key
            && let Err(error) = self.queue.outbox().answered(key, &message)
        {
            tracing::error!("{}", causes(&error));
        }
        let (uid, now) = (Some(self.names.next()), self.origin.elapsed());
        self.owe(Weight::Reply, Message { uid, ..message }, now);
    }

    fn carry_out(&mut self, what: Do) {
        let now = self.origin.elapsed();
        match what {
            Do::Close => self.link.close(),
            Do::Open => self.link.open(),
            Do::Problem(why) => self.problem(&why, now),
            Do::Publish { tag, message } => {
                if let Err(too_large) = self.link.publish(tag, &message) {
                    self.session.too_large(tag, too_large, now);
                }
            }
            Do::Remove(numbers) => self.queue.remove(&numbers),
            Do::Subscribe(filters) => self.link.subscribe(&filters),
            Do::Take(received) => {
                let packet = received.packet;
                self.take(&received, now);
                // What was begun is remembered by now: it need not come again.
                self.link.acknowledge(packet);
            }
        }
    }

    fn problem(&mut self, why: &str, now: Duration) {
        tracing::error!("MQTT: {why}");
        let uid = self.names.next();
        let message = told::problem(&self.listening.topics, uid, &self.listening.device, why);
        self.owe(Weight::Event, message, now);
    }

    /// What comes of heads.
    pub(super) fn see_to(&mut self, doing: Vec<heads::Do>, now: Duration) {
        for what in doing {
            match what {
                heads::Do::Answer(order, answer) => {
                    self.answered(order.key.as_deref(), order.reply.message(&answer, self.most));
                }
                heads::Do::Listen(filters) if self.session.packet().is_some() => self.link.subscribe(&filters),
                // The manifest comes again with the connection, and with it what is listened to.
                heads::Do::Listen(_) => {}
                heads::Do::Problem(why) => self.problem(&why, now),
                heads::Do::Publish(messages) => {
                    self.queue.put_kept(messages, now);
                    self.session.owes();
                }
                heads::Do::Rejected(record) => {
                    let uid = self.names.next();
                    let message = told::rejected(&self.listening.topics, uid, &self.listening.device, &record);
                    self.owe(Weight::Event, message, now);
                }
            }
        }
    }

    /// A message of a topic that is listened to.
    fn take(&mut self, received: &Received, now: Duration) {
        for source in self.listening.takers(received) {
            if let Err(error) = (self.posted)(source, Content::File(received.payload.clone())) {
                tracing::debug!("what came on {} is not taken: {error}", received.topic);
                self.shed += 1;
            }
        }
        if let Some(doing) = self.heads.take(received, &self.view, now) {
            return self.see_to(doing, now);
        }
        match self.listening.about(received, &self.view) {
            About::Birth { began: true } => self.session.say_values_again(),
            About::Birth { began: false } | About::Other => {}
            About::Order(order) => self.ordered(*order, now),
            About::Retained => {
                self.ignored += 1;
                let topic = &received.topic;
                tracing::warn!("a retained command on {topic} is ignored: publish commands without retain");
            }
            About::Wrong(wrong) => {
                let (reply, error) = *wrong;
                self.answered(None, reply.message(&Err(error), self.most));
            }
        }
    }

    /// Something is to be done, unless it was or is being done under the same key.
    fn ordered(&mut self, order: Order, now: Duration) {
        if let Some(key) = &order.key {
            match self.queue.outbox().begin(key, &order.reply.address()) {
                Ok(None) => {}
                Ok(Some(Before::Begun)) => return tracing::info!("`{key}` came again while it is carried out"),
                Ok(Some(Before::Answered(message))) => {
                    // To where he listens who asks now.
                    let Message { topic, correlation, .. } = order.reply.address();
                    return self.answered(None, Message { topic, correlation, ..message });
                }
                Err(error) => {
                    let words =
                        format!("that this was done could not be remembered, so it was not: {}", causes(&error));
                    let answer = order.reply.message(&Err(CommandError::Failed(words)), self.most);
                    return self.answered(None, answer);
                }
            }
        }
        if order.wait.is_zero() {
            self.begin(order);
        } else if self.spread.len() < SPREAD {
            self.spread.push((now + order.wait, order));
        } else {
            self.refuse(&order);
        }
    }

    /// Commands whose share of a spread has come.
    fn due(&mut self, now: Duration) {
        let due: Vec<Order> = self.spread.extract_if(.., |(at, _)| *at <= now).map(|(_, order)| order).collect();
        for order in due {
            self.begin(order);
        }
    }

    fn begin(&mut self, order: Order) {
        if let What::Publish(task) = &order.what {
            let task = task.clone();
            return self.heads.asked(task, order).unwrap_or_else(|order| self.refuse(&order));
        }
        if let Err(order) = self.operator.carry_out(order) {
            self.refuse(&order);
        }
    }

    fn refuse(&mut self, order: &Order) {
        let error = CommandError::Unavailable("too many commands wait: try again under another transaction".to_owned());
        self.answered(order.key.as_deref(), order.reply.message(&Err(error), self.most));
    }

    /// How it fares.
    fn show(&self) {
        let mut lacks = self.session.troubles();
        lacks.extend(self.heads.troubles());
        lacks.extend(self.queue.trouble.iter().map(|why| format!("what the MQTT broker is owed is not kept: {why}")));
        let gauges = vec![
            ("mqtt_connected", "1 while the broker takes what it is told", f64::from(u8::from(self.session.is_up()))),
            ("mqtt_owed_messages", "Messages that the broker has not acknowledged", self.queue.len() as f64),
            ("mqtt_owed_bytes", "What they take on the disk", self.queue.bytes() as f64),
            ("mqtt_parked_messages", "Messages that the broker refused, kept", self.session.parked() as f64),
        ];
        let shed = vec![
            ("mqtt_message", self.queue.dropped),
            ("mqtt_picture", self.shed),
            ("mqtt_retained_command", self.ignored),
            ("mqtt_head_part", self.heads.damaged),
        ];
        *self.post.fares.lock().unwrap_or_else(PoisonError::into_inner) = Fares { lacks, shed, gauges };
    }
}
