"""Which queries should a retrieval system refuse? H-AP of those answered, by how many are."""
