"""What was asked for, and who may act on it: revisions, marks and the lease."""
