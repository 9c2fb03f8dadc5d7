"""Speed of making a data set of labels: the rule, the tables, and the pages that show it."""
