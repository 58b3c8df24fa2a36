"""A model folder becomes a Kaggle Model."""
