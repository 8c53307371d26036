"""Files, formats, resampling, STFT, level and speech activity: everything below the signal path."""
