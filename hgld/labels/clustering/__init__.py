"""Groups of classes whose labels are alike."""
