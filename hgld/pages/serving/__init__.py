"""What every page is served with: who may ask, on which address, and what is shown safely."""
