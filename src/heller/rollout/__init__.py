"""The gradual change of homes: buckets, stages, guardrails, and the controller that acts on them."""
