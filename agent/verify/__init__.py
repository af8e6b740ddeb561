"""What `selfnas verify` holds the parts of a life to, each following the events that concern it.

None trusts what the agent says of itself: certificates are judged again; verdicts, statistics, costs and lists are
recomputed. Few share code with what wrote the events, and those that do say so.
"""
