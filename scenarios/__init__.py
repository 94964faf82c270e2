"""What if: macro scenarios, studies and the vocabulary."""
