"""Commands that open a page in the browser and serve it until Ctrl-C."""
