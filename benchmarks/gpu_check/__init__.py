"""Ten minutes on a GPU host: does it serve the answers of a CPU, how fast is each step, how many clips a second."""
