"""Torch networks, one a file. Seen only by ``train`` and by the backend that runs a checkpoint."""
