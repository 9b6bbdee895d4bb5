"""Has something changed? Causal detectors of whole series; their thresholds follow from a budget of false alarms."""
