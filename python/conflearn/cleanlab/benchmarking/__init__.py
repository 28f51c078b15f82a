"""What cleanlab measures itself with: noise that is put into labels on purpose."""

from conflearn.cleanlab.benchmarking import noise_generation

__all__ = ["noise_generation"]
