"""A training run: settings, presets, trainer, evaluation, metrics, checkpoints."""
