"""The data sets that training reads, each as typed arrays."""
