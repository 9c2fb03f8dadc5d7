"""How the page is served: who may ask, what is sent back, and what is told unasked."""
