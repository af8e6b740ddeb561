"""What Python programs and the command line call: a life is run, opened, verified and reported."""
