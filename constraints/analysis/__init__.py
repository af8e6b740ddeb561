"""What a set, or an edit of one, lets in and keeps out."""
