"""The page *When should a retrieval system abstain?*, drawn from what was measured."""
