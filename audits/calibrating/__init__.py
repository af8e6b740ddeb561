"""What an audit is worth: planted defects, controls, and the matrix of what was caught."""
