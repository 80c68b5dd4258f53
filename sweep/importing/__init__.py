"""Results from elsewhere: a file of losses becomes a study that can be judged, but not run."""
