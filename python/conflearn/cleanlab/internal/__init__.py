"""What cleanlab's tutorials take from its internals: `multilabel_utils`, and nothing else."""
