"""Attribution, occlusion, intervals and untrained controls: what several audits measure with."""
