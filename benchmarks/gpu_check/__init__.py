"""Ten minutes on a host with a GPU: does it serve the answers of a CPU, how fast is each step, how many clips a second."""
