"""Training: mixing on the fly, losses, the loop, and export to ONNX."""
