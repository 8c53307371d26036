"""Files, formats, resampling, STFT, levels and pauses: what everything else stands on."""
