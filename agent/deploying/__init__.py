"""A trained network of a life as a file that answers elsewhere: chosen, written, checked, bundled."""
