"""Where runs are executed: one small class per kind of place."""
