"""Networks as torch modules, one a file; seen only by training and by the backend that runs a checkpoint."""
