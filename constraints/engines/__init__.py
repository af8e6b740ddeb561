"""From the tree to a truth value, four ways: Z3, decision diagram, NumPy and plain-Python referee."""
