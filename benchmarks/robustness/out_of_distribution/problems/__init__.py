"""What the methods are measured on: data sets, and the classes held out of them."""
