//! A camera of the network that shows what a test puts in front of it: motion JPEG over HTTP, ten pictures a second. Knows no
//! daemon.

use std::io::{Cursor, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;

/// Between two pictures.
const EVERY: Duration = Duration::from_millis(100);

/// A running camera; its threads end with the program.
#[derive(Clone, Debug)]
pub struct Camera {
    port: u16,
    scene: Arc<Scene>,
}

#[derive(Debug, Default)]
struct Scene {
    shown: Mutex<Shown>,
    changed: Condvar,
}

/// What is in front of it, picture by picture, over and over.
#[derive(Debug, Default)]
struct Shown {
    pictures: Vec<Arc<Vec<u8>>>,
    at: usize,
    /// Counts what was put in front of it.
    round: usize,
}

impl Camera {
    /// Starts one that shows nothing yet.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let scene = Arc::new(Scene::default());
        thread::spawn({
            let scene = Arc::clone(&scene);
            move || {
                for stream in listener.incoming().flatten() {
                    let scene = Arc::clone(&scene);
                    // Whoever looks may go away.
                    thread::spawn(move || drop(scene.stream(stream)));
                }
            }
        });
        Self { port, scene }
    }

    /// Its address, as a person types it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/stream", self.port)
    }

    /// Puts these in front of it, JPEG files.
    pub fn show(&self, pictures: &[Arc<Vec<u8>>]) {
        let mut shown = self.scene.lock();
        *shown = Shown { pictures: pictures.to_vec(), at: 0, round: shown.round + 1 };
        self.scene.changed.notify_all();
    }
}

impl Scene {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next picture of all who look, after a while, or at once where something else is put there.
    fn next(&self) -> Arc<Vec<u8>> {
        let round = self.lock().round;
        let waiting = |shown: &mut Shown| shown.round == round || shown.pictures.is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), EVERY, waiting);
        let mut shown = waited.unwrap_or_else(PoisonError::into_inner).0;
        while shown.pictures.is_empty() {
            shown = self.changed.wait(shown).unwrap_or_else(PoisonError::into_inner);
        }
        let picture = Arc::clone(&shown.pictures[shown.at % shown.pictures.len()]);
        shown.at += 1;
        picture
    }

    fn stream(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && head.len() < 1 << 13 {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n")?;
        loop {
            let picture = self.next();
            write!(stream, "--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len())?;
            stream.write_all(&picture)?;
            stream.write_all(b"\r\n")?;
        }
    }
}

/// A photograph as a camera of 320 × 240 pixels sees it in another light: red, green and blue times this, as JPEG.
///
/// # Panics
/// When it cannot be read.
pub fn seen(photograph: &Path, light: [f32; 3]) -> Arc<Vec<u8>> {
    let picture = image::open(photograph).unwrap_or_else(|error| panic!("{}: {error}", photograph.display()));
    let mut picture = picture.resize_to_fill(320, 240, image::imageops::FilterType::Triangle).to_rgb8();
    for pixel in picture.pixels_mut() {
        for (value, light) in pixel.0.iter_mut().zip(light) {
            *value = (f32::from(*value) * light) as u8;
        }
    }
    let mut file = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut file, 90).encode_image(&picture).expect("a vector takes any picture");
    Arc::new(file.into_inner())
}
