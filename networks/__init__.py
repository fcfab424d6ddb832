"""The models as PyTorch modules, with their preprocessing and how foreign weights are read; no data, no loops."""
