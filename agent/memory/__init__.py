"""What earlier tasks teach: recall, sub-cells, composed operators, inherited weights, the learned proxy."""
