"""Noise trackers: what turns the powers of noisy frames into the noise PSD under each of them."""
