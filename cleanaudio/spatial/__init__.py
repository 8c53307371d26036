"""Array mathematics: geometry, delays, covariances, beamformers, dereverberation."""
