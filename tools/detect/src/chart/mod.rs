//! A chart as a trader would draw it: candles and the structures that were known by its last bar.
//!
//! One SVG by hand, readable at 1600 x 900, light or dark as its viewer prefers. Nothing on it looks ahead of its last bar.
//!
//! | file | does |
//! |---|---|
//! | `scene.rs` | folds events into things with a beginning and an end |
//! | `scale.rs` | prices and bars into places, ticks of the axes |
//! | `canvas.rs` | SVG elements, and labels that keep out of each other's way |
//! | `picture.rs` | what is drawn over what |
//! | `ground.rs`, `zones.rs`, `levels.rs`, `bars.rs`, `head.rs` | the layers |
//! | `style.rs` | colours |

mod bars;
mod canvas;
mod ground;
mod head;
mod levels;
mod picture;
mod scale;
mod scene;
mod style;
mod zones;

pub use picture::{Title, draw};
pub use scene::Scene;

/// Size of the picture.
pub const WIDTH: f64 = 1600.0;
/// Size of the picture.
pub const HEIGHT: f64 = 900.0;
