"""Attribution, occlusion, bounds, intervals and untrained controls: what several audits measure with."""
