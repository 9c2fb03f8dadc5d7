"""What lies in the folder that is browsed: landmarks by label, their pictures, what is known."""
