"""Programs that example pods run. They know AWS's SDK and nothing of iambridge; nothing else may import them."""
