//! What `acclimate demo` shows: a world to learn, drawn on the spot. Knows nothing about backbones, heads or the store.

pub mod belt;
mod scene;
