"""What is computed from prices: grades, signals, quantmetrics, indices, hours, levels, correlation."""
