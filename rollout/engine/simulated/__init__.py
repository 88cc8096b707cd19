"""Tasks in memory, on a virtual clock, with faults on demand."""
