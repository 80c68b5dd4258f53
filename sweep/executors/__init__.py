"""Executors start runs: one class per backend."""
