//! The main job, as a story.
