"""From a source of examples to a task: splits, transformations, batches, probes, drift."""
