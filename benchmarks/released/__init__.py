"""What only the reference vectors need: released parts that the product leaves out, and checks."""
