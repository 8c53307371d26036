"""Training of our own networks: data mixed on the fly, losses, the loop, checkpoints and export."""
