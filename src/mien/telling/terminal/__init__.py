"""Results as a terminal of 80 columns shows them."""
