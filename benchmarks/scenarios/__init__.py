"""MLPerf's four scenarios by LoadGen, and perf_analyzer's sweep of callers, of the service as users start it."""
