"""Fine-tuning of the channels and of the fusion."""
