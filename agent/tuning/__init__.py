"""How the search policy improves itself: candidates, rehearsals, trials on real scores, decisions."""
