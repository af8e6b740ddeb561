"""What is claimed of an acquisition program on its whole box: two engines, and the witness that breaks a claim."""
