"""What lies in the image store, encrypted where there is a key for it; plain otherwise."""
