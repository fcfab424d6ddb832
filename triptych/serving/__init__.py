"""What runs the steps: adapters inside Triton, the embedded server, the steps' settings."""
