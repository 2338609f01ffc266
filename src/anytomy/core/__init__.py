"""Values that everything speaks: geometry, image, prompt, prediction, intensity, errors."""
