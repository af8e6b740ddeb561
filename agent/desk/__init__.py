"""The desk in the browser: what waits for a person, what a life does now, what it tried, lives side by side."""
