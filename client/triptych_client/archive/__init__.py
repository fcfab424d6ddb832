"""Many clips into one folder, overnight: what was answered stays answered, whatever ends the run."""
