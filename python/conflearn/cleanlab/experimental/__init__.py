"""What cleanlab calls experimental: `label_issues_batched`, and nothing else."""

from conflearn.cleanlab.experimental import label_issues_batched

__all__ = ["label_issues_batched"]
