"""Modelling code for transformers, copied into exports of models that no class of its own fits."""
