"""How good the labels are: the clusters that they come from, and what is proposed for them."""
