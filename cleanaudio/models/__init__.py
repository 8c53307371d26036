"""The models that ship, each an ONNX file with its card, and the catalog that knows their hashes."""
