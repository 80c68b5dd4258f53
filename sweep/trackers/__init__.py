"""Trackers show runs in TensorBoard, W&B, MLflow or Trackio: one module per tool."""
