//! What holds of every input that the lab reads, said once for each kind of input and tried by the fuzz targets.
//!
//! A property panics where it does not hold. Inputs are what stands on disk or comes over the wire, without any frame
//! around it, so that a fixture is a seed and a failing input can be read, cut down and kept as a fixture.

pub mod body;
pub mod cassette;
pub mod config;
pub mod http1;
pub mod load;
pub mod pieces;
pub mod stream;
