"""Import of results from elsewhere: a file of losses becomes a study that can be judged, not run."""
