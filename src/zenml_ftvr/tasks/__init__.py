"""The tasks: preprocessing, collator, metrics."""
