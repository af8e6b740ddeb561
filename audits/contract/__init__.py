"""What an audit sees and what it returns."""
