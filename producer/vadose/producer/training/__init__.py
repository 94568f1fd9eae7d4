"""Training: splits, data sets inside the fold, the loop, the ledger, and the recipe's model."""
