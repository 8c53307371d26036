"""What noise, and cleaning, do to the machines downstream: speech recognition and speaker recognition."""
