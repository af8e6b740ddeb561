"""What a life shows: figures computed from its events, plots and the report page."""
