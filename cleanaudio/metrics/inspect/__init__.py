"""What is on a recording, whether it was cleaned or not: hum, bandwidth, room, wiring, spectral shape."""
