//! Frames of runs as other tools' files.
